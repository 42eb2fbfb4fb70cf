import type { Clock } from "./clock.ts";

/** Why work was stopped from outside: its time is over, or nobody waits for its result any more. */
export type Interruption = "deadline" | "caller-gone";

/** Work that can be stopped while it waits. It waits for one thing at a time, so one slot does what a list of listeners would. */
export interface Interruptible {
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
  /** Monotonic milliseconds after which no step may wait any longer. */
  readonly deadlineAt: number;
  /** Set once it was stopped; a deadline takes the place of a caller gone. */
  interruption: Interruption | undefined;
  /**
   * Whatever is waited for at this moment sets this, and takes it back when the wait is over.
   * An object and not a function: a closure for each call in this place made V8 keep one call
   * alive through the next, and a third of all garbage survived its first collection.
   */
  waiting: Waiting | undefined;
}

/** What is told when the work that waits for it is stopped. */
export interface Waiting {
  interrupted(why: Interruption): void;
}

/** Stops the work: tells whatever it waits for. */
export function interrupt(work: Interruptible, why: Interruption): void {
  if (work.interruption === "deadline") return;
  work.interruption = why;
  work.waiting?.interrupted(why);
}

/** Waits `ms`, or until the work is interrupted; then tells by what the wait ended. */
export function pause(work: Interruptible, clock: Clock, ms: number): Promise<Interruption | "elapsed"> {
  return new Promise((resolve) => {
    if (work.interruption !== undefined) {
      resolve(work.interruption);
      return;
    }
    const end = (why: Interruption | "elapsed"): void => {
      timer.cancel();
      work.waiting = undefined;
      resolve(why);
    };
    const timer = clock.after(ms, () => end("elapsed"));
    work.waiting = { interrupted: end };
  });
}
