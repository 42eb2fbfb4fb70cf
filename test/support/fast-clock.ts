import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";

/**
 * A clock on which `factor` times as much time passes as on the system's: for promises about
 * long times. It ticks in steps of 10 ms of its own, as coarse clocks do. With a factor below 1
 * it is slow: for promises about moments, on a machine that may be busy for longer.
 */
export function createFastClock(factor: number): Clock {
  const begunAt = { now: systemClock.now(), monotonic: systemClock.monotonic() };
  return {
    // For what is a matter of dates, such as a token's age, the wall clock goes as fast.
    now: () => begunAt.now + (systemClock.monotonic() - begunAt.monotonic) * factor,
    monotonic: () => Math.floor((systemClock.monotonic() * factor) / 10) * 10,
    sinceBoot: () => systemClock.monotonic() * factor,
    after: (ms, run) => systemClock.after(ms / factor, run),
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}
