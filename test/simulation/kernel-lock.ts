import { CommandError } from "../../src/errors.ts";
import type { HeldLock } from "../../src/store/contract.ts";
import type { Operate } from "./operate.ts";
import type { OnTaken, SimLocks } from "./sim-locks.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";

export interface KernelLockOptions {
  readonly operate: Operate;
  readonly story: Story;
  readonly onTaken: OnTaken;
}

/** Milliseconds between two tries to take it. */
const retryMs = 20;

/** A lock between the processes of one host: it ends with its process and not before, so no pause loses it. */
export function createKernelLock({ operate, story, onTaken }: KernelLockOptions): SimLocks {
  let holder: SimProcess | undefined;

  function tryTake(process: SimProcess): boolean {
    if (holder !== undefined || !process.isAlive()) return false;
    holder = process;
    story.tell(() => `${process.name} takes the lock`);
    onTaken(process);
    process.onDeath(() => free(process));
    return true;
  }

  function free(process: SimProcess): void {
    if (holder === process) holder = undefined;
  }

  function hold(process: SimProcess): HeldLock {
    return {
      identity: "simulated kernel lock",
      heldUntil: () => Number.POSITIVE_INFINITY,
      renew: async () => holder === process,
      async release() {
        free(process);
        story.tell(() => `${process.name} gives the lock back`);
      },
    };
  }

  return {
    forProcess: (process) => ({
      name: "simulated kernel lock",
      async acquire({ waitMs, signal }) {
        const deadline = process.clock.monotonic() + waitMs;
        const lost = (): Error =>
          new CommandError("system-refused", "The simulated lock file could not be locked.");
        await operate({ process, kind: "take the lock", effect: () => {}, lost });
        while (!tryTake(process)) {
          const left = deadline - process.clock.monotonic();
          if (left <= 0) throw new CommandError("try-again", "Another simulated process holds the lock.");
          await process.clock.sleep(Math.min(retryMs * 25, left), signal);
        }
        return hold(process);
      },
    }),
    termLeft: () => Number.POSITIVE_INFINITY,
    holder: () => holder,
  };
}
