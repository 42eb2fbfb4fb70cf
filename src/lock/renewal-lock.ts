/** What to wait for, and how long. */
export interface AcquireOptions {
  /** Milliseconds to wait while another holds the lock; 0 asks once, `Infinity` waits for as long as it takes. */
  readonly waitMs: number;
  /** Ends the waiting: `acquire` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * The lock, as its holder has it. One with a term keeps itself while it is held: a holder may
 * wait for longer than a term. No holder can be sure of it all the same: a process that was
 * paused may have lost it.
 */
export interface HeldLock {
  /** What kind of lock and which, for `writtenBy` in the record: people read it. */
  readonly identity: string;
  /** Monotonic time until which nobody else can have it; `Infinity` for a lock that ends only with its process. */
  heldUntil(): number;
  /** Takes a full term from now; false if the lock is not ours any more. Rejects if that can't be learnt. */
  renew(): Promise<boolean>;
  /** Gives it back if it is still ours; calling it twice does nothing. Never rejects: a lock that can't be given back runs out. */
  release(): Promise<void>;
}

/**
 * One holder at a time. It does not fence: Presto can't see it, so whoever believes to hold
 * it can still send. Not re-entrant: whoever holds it and asks again waits for itself.
 */
export interface RenewalLock {
  /** Throws `Failure` `try-again`, which says who holds it, when the time is up. */
  acquire(options: AcquireOptions): Promise<HeldLock>;
}
