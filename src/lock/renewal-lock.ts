/** What to wait for, and how long. */
export interface AcquireOptions {
  /** Milliseconds to wait while another holds the lock; 0 asks once. */
  readonly waitMs: number;
  /** Ends the waiting: `acquire` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** Gives the lock back; calling it twice does nothing. */
export type ReleaseLock = () => void;

/**
 * One holder at a time, for as long as it holds. The lock ends with its process. Not
 * re-entrant: whoever holds it and asks again waits for itself.
 */
export interface RenewalLock {
  /** Throws `Failure` `try-again`, which says who holds it, when the time is up. */
  acquire(options: AcquireOptions): Promise<ReleaseLock>;
}
