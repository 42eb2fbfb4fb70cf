import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";

/** A clock whose time a test can make jump, as it does for a process that was suspended. Timers that run are not moved. */
export interface JumpingClock extends Clock {
  jump(ms: number): void;
}

/** @param clock the system's, unless another is to jump */
export function createJumpingClock(clock: Clock = systemClock): JumpingClock {
  let ahead = 0;
  return {
    ...clock,
    now: () => clock.now() + ahead,
    monotonic: () => clock.monotonic() + ahead,
    sinceBoot: () => clock.sinceBoot() + ahead,
    jump(ms) {
      ahead += ms;
    },
  };
}
