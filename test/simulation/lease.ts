import { CommandError } from "../../src/errors.ts";
import type { HeldLock } from "../../src/store/contract.ts";
import { beginTerm, type Term } from "../../src/store/term.ts";
import type { Operate } from "./operate.ts";
import type { Random } from "./random.ts";
import type { OnTaken, SimLocks } from "./sim-locks.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

export interface LeaseOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly operate: Operate;
  readonly story: Story;
  readonly leaseMs: number;
  /** Its adapter renews it by itself while it is held. */
  readonly isKept: boolean;
  /** The lease is where the store is, and away with it. */
  readonly isDown: () => boolean;
  readonly onTaken: OnTaken;
}

/**
 * A lease: a lock with a term. It does not fence: whoever was paused past its term goes on
 * as if it still held it. Its holder counts the term from when it asked, the others from
 * when it was granted.
 */
export function createLease(options: LeaseOptions): SimLocks {
  const { timeline, random, operate, story, leaseMs } = options;
  let holder: SimProcess | undefined;
  let until = 0;
  /** Those whose wish to take it is on its way. */
  const asking = new Set<SimProcess>();
  const lost = (): Error => new CommandError("try-again", "The simulated lease did not answer.");

  function take(process: SimProcess): boolean {
    if (options.isDown()) throw lost();
    if (holder !== undefined && holder !== process && timeline.now() < until) return false;
    holder = process;
    until = timeline.now() + leaseMs;
    story.tell(() => `${process.name} takes the lease`);
    options.onTaken(process);
    return true;
  }

  function renew(process: SimProcess): boolean {
    if (options.isDown()) throw lost();
    if (holder !== process) return false;
    until = timeline.now() + leaseMs;
    return true;
  }

  function hold(process: SimProcess, term: Term): HeldLock {
    const { clock } = process;
    let released = false;

    async function renewOnce(): Promise<boolean> {
      const askedAt = clock.monotonic();
      const ours = await operate({ process, kind: "renew the lock", effect: () => renew(process), lost });
      if (!ours) term.lose();
      return term.renewed(askedAt);
    }

    async function keep(): Promise<void> {
      while (options.isKept && !released && clock.monotonic() < term.heldUntil()) {
        await clock.sleep(leaseMs / 3);
        if (!released) await renewOnce().catch(() => {});
      }
    }

    void keep();
    return {
      identity: "simulated lease",
      heldUntil: term.heldUntil,
      renew: renewOnce,
      async release() {
        if (released) return;
        released = true;
        term.lose();
        await operate({ process, kind: "release the lock", effect: () => free(process), lost }).catch(
          () => {},
        );
      },
    };
  }

  function free(process: SimProcess): void {
    if (options.isDown() || holder !== process) return;
    holder = undefined;
    story.tell(() => `${process.name} gives the lease back`);
  }

  async function acquire(process: SimProcess, waitMs: number, signal?: AbortSignal): Promise<HeldLock> {
    const { clock } = process;
    const deadline = clock.monotonic() + waitMs;
    asking.add(process);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const term = beginTerm(clock, leaseMs);
        const taken = await operate({ process, kind: "take the lock", effect: () => take(process), lost });
        // An answer that comes when the term is over is none: it is asked for anew.
        if (taken && term.heldUntil() > clock.monotonic()) return hold(process, term);
        const left = deadline - clock.monotonic();
        if (left <= 0) throw new CommandError("try-again", "Another simulated process holds the lease.");
        await clock.sleep(Math.min(random.between(1_000, 3_000), left), signal);
      }
    } finally {
      asking.delete(process);
    }
  }

  return {
    forProcess: (process) => ({
      name: "simulated lease",
      acquire: ({ waitMs, signal }) => acquire(process, waitMs, signal),
    }),
    termLeft(process) {
      if (asking.has(process)) return holder === process ? until - timeline.now() : leaseMs / 2;
      return holder === process ? until - timeline.now() : Number.POSITIVE_INFINITY;
    },
    holder: () => holder,
  };
}
