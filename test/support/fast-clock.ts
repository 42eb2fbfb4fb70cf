import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";

/**
 * A clock on which `factor` times as much time passes as on the system's: for promises about
 * long times. It ticks in steps of 10 ms of its own, as coarse clocks do.
 */
export function createFastClock(factor: number): Clock {
  return {
    now: systemClock.now,
    monotonic: () => Math.floor((systemClock.monotonic() * factor) / 10) * 10,
    after: (ms, run) => systemClock.after(ms / factor, run),
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}
