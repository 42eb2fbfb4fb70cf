import type { Clock, Timer } from "../../src/clock.ts";
import type { Random } from "./random.ts";
import type { Story } from "./story.ts";
import type { Coming, Timeline } from "./timeline.ts";

/**
 * A process of the simulated world. All that reaches it from outside (its timers, answers,
 * notices) goes through `deliver`: after `kill` nothing does, so it ends at whatever it awaits;
 * during a pause nothing does either, and then everything at once.
 */
export interface SimProcess {
  /** `rotator-1`, the same after a restart. */
  readonly role: string;
  /** `rotator-1.2`: its second life. */
  readonly name: string;
  /** New at every start. */
  readonly holder: string;
  readonly clock: Clock;
  isAlive(): boolean;
  isPaused(): boolean;
  /** Runs `run` inside the process after `delayMs`, if it lives then and is not paused. */
  deliver(delayMs: number, run: () => void): Coming;
  kill(why: string): void;
  /** @param isSuspended its monotonic clock stands still, too: a laptop whose lid was closed */
  pause(ms: number, isSuspended: boolean): void;
  /** Sets the wall clock by so much. */
  jump(ms: number): void;
  /** Sets it right again. */
  mendClock(): void;
  /** What the world does when the process dies: the kernel drops its locks, its connections close. */
  onDeath(run: () => void): void;
}

export interface SimProcessOptions {
  readonly role: string;
  readonly life: number;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  /** Wall clock at the world's beginning. */
  readonly epoch: number;
  /** How far this machine's wall clock is off. */
  readonly wallOffset: number;
}

export function createSimProcess(options: SimProcessOptions): SimProcess {
  const { role, life, timeline, random, story } = options;
  const name = `${role}.${life}`;
  const funerals: (() => void)[] = [];
  /** What came during a pause. */
  let withheld: (() => void)[] = [];
  let alive = true;
  let pausedUntil = 0;
  let suspendedMs = 0;
  let wallOffset = options.wallOffset;
  /** Processes start at moments of their own, so that no two monotonic clocks agree. */
  const bornAt = timeline.now() - random.whole(0, 1_000_000);

  const isPaused = (): boolean => timeline.now() < pausedUntil;
  const monotonic = (): number => timeline.now() - bornAt - suspendedMs;

  function arrive(run: () => void): void {
    if (!alive) return;
    if (isPaused()) withheld.push(run);
    else run();
  }

  const deliver = (delayMs: number, run: () => void): Coming => timeline.after(delayMs, () => arrive(run));

  function resume(): void {
    const came = withheld;
    withheld = [];
    // Each in a step of its own: promises settle between them, as they do between a real loop's callbacks.
    for (const run of came) deliver(0, run);
  }

  return {
    role,
    name,
    holder: `${name}-${random.whole(0, 0xffff).toString(16)}`,
    clock: createClock({
      deliver,
      monotonic,
      sinceBoot: () => timeline.now() - bornAt,
      cancel: (coming) => timeline.cancel(coming),
      lateness: () => (random.chance(0.1) ? random.between(0, 30) : 0),
      wall: () => options.epoch + timeline.now() + wallOffset,
    }),
    isAlive: () => alive,
    isPaused,
    deliver,
    kill(why) {
      if (!alive) return;
      story.tell(() => `${name} is killed: ${why}`);
      alive = false;
      withheld = [];
      for (const run of funerals) run();
    },
    pause(ms, isSuspended) {
      if (!alive || isPaused()) return;
      story.tell(() => `${name} is ${isSuspended ? "suspended" : "paused"} for ${(ms / 1_000).toFixed(1)} s`);
      pausedUntil = timeline.now() + ms;
      timeline.after(ms, () => {
        if (isSuspended) suspendedMs += ms;
        if (alive) story.tell(() => `${name} goes on`);
        resume();
      });
    },
    jump(ms) {
      story.tell(() => `the wall clock of ${name} jumps by ${(ms / 3_600_000).toFixed(1)} h`);
      wallOffset += ms;
    },
    mendClock() {
      wallOffset = options.wallOffset;
    },
    onDeath: (run) => void funerals.push(run),
  };
}

interface ClockParts {
  readonly deliver: (delayMs: number, run: () => void) => Coming;
  readonly cancel: (coming: Coming) => void;
  readonly monotonic: () => number;
  /** Counts on while the machine sleeps. */
  readonly sinceBoot: () => number;
  readonly wall: () => number;
  /** By how much a timer comes late this time, milliseconds. */
  readonly lateness: () => number;
}

function createClock({ deliver, cancel, monotonic, sinceBoot, wall, lateness }: ClockParts): Clock {
  function after(ms: number, run: () => void): Timer {
    // As Node has it: fractions are cut off, no timer is shorter than 1 ms, and a busy loop is late.
    const wait = Math.max(1, Math.trunc(ms)) + lateness();
    const dueAt = monotonic() + wait;
    let coming: Coming;
    let cancelled = false;
    const ring = (): void => {
      // It may have been called off while it was withheld.
      if (cancelled) return;
      // The monotonic clock may have stood still: a timer never comes early by it.
      const left = dueAt - monotonic();
      if (left > 1e-6) coming = deliver(left, ring);
      else run();
    };
    coming = deliver(wait, ring);
    return {
      cancel() {
        if (cancelled) return;
        cancelled = true;
        cancel(coming);
      },
    };
  }

  return {
    now: wall,
    monotonic,
    sinceBoot,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        const onAbort = (): void => {
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = after(ms, () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        });
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
  };
}
