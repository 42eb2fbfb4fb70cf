import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";

/** The system's clock, but a test can make time jump, as it does for a process that was suspended. Timers that run are not moved. */
export interface JumpingClock extends Clock {
  jump(ms: number): void;
}

export function createJumpingClock(): JumpingClock {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic() + ahead,
    sinceBoot: () => systemClock.sinceBoot() + ahead,
    jump(ms) {
      ahead += ms;
    },
  };
}
