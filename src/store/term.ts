import type { Clock } from "../clock.ts";

/** Term of a lock that has one (LEASE), milliseconds. */
export const leaseMs = 45_000;

/** By so much the clocks of a machine that is awake do not drift apart while a lock is held, milliseconds. */
const mostDriftMs = 1_000;

/**
 * The term of a lock, as its holder counts it: on the monotonic clock of its own process, and from the moment
 * at which the write that began or renewed it was *sent*. Whoever waits counts from when it saw that write,
 * which is later; from the answer, which may be late by any time, there would be two holders.
 */
export interface Term {
  /** When the write that it counts from was sent; monotonic. */
  sentAt(): number;
  /** Monotonic time until which nobody else can have the lock; in the past once it is lost. */
  heldUntil(): number;
  /**
   * A write that was sent at that moment (monotonic) has renewed it. False where it was lost before this was
   * known: whoever hears that late may have done what a holder may not.
   */
  renewed(sentAt: number): boolean;
  /** It is another's now, or nobody's. */
  lose(): void;
}

type Clocks = Pick<Clock, "now" | "monotonic" | "sinceBoot">;

/**
 * Begins now: to be asked for right before the write that takes the lock is sent. A term that is over, or was
 * lost, stays so.
 */
export function beginTerm(clock: Clocks, termMs: number): Term {
  const hasSlept = watchForSleep(clock);
  let sentAt = clock.monotonic();
  let lost = false;

  function heldUntil(): number {
    lost ||= clock.monotonic() >= sentAt + termMs || hasSlept();
    return lost ? Number.NEGATIVE_INFINITY : sentAt + termMs;
  }

  return {
    sentAt: () => sentAt,
    heldUntil,
    renewed(at) {
      if (heldUntil() < clock.monotonic()) return false;
      sentAt = Math.max(sentAt, at);
      return true;
    },
    lose() {
      lost = true;
    },
  };
}

/**
 * Linux's monotonic clock stands still while the machine sleeps, so that a term would not end: a machine that
 * slept is seen by its boot time, and by its wall clock where that is all there is (a virtual machine that was
 * stopped from outside). A wall clock that was set looks the same, and costs no more than taking the lock anew.
 * @returns what tells whether it has slept since
 */
export function watchForSleep(clock: Clocks): () => boolean {
  const before = { wall: clock.now(), boot: clock.sinceBoot(), monotonic: clock.monotonic() };
  return () => {
    const passed = clock.monotonic() - before.monotonic;
    const drifts = [clock.now() - before.wall - passed, clock.sinceBoot() - before.boot - passed];
    return drifts.some((drift) => Math.abs(drift) > mostDriftMs);
  };
}
