/** The protocol's times, milliseconds, each measured on this process's own monotonic clock. */
export interface RenewalTimes {
  /** How long one issue call may take before it is given up (ISSUE_TIMEOUT). */
  readonly issueTimeoutMs: number;
  /** Term of a lock that has one (LEASE). */
  readonly leaseMs: number;
  /** Longest time that Presto may still execute a call whose client is gone (SETTLE). */
  readonly settleMs: number;
  /** Longest wait for calls that were in flight when the intent was written (GRACE). */
  readonly graceMs: number;
  /** How often the stored token is probed (PROBE_EVERY). */
  readonly probeEveryMs: number;
}

/** LEASE must outlive GRACE and ISSUE_TIMEOUT together; what is left over is the margin. */
export const defaultTimes: RenewalTimes = {
  issueTimeoutMs: 15_000,
  leaseMs: 45_000,
  settleMs: 90_000,
  graceMs: 2_000,
  probeEveryMs: 60_000,
};

/** How much longer than ISSUE_TIMEOUT a lock must still be held when the call begins, milliseconds. */
export const lockMarginMs = 5_000;

/** A 401 to a token younger than this proves nothing: Presto's own replicas may not know it yet. Milliseconds. */
export const youngMs = 30_000;
