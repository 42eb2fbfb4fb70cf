import { randomInt } from "node:crypto";

import type { Clock } from "../clock.ts";

/** What `work` gives if it does so in `ms`, else undefined; it goes on all the same. */
export function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(undefined));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Calls `run` with the reason when the signal is aborted, at once if it was before. @returns what ends the listening */
export function onAbort(signal: AbortSignal, run: (reason: Error) => void): () => void {
  const tell = (): void => run(signal.reason instanceof Error ? signal.reason : new Error("given up"));
  if (signal.aborted) {
    tell();
    return () => {};
  }
  signal.addEventListener("abort", tell, { once: true });
  return () => signal.removeEventListener("abort", tell);
}

/** What `work` gives, or undefined as soon as the signal is aborted; it goes on all the same, and nobody listens. */
export function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => resolve(undefined));
    work.then(resolve, reject).finally(stopListening);
  });
}

/**
 * What `work` comes to, unless the signal is aborted first: then it rejects with the
 * signal's reason, and the work is left to itself. For waiting that nothing is lost with.
 */
export function untilStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, reject);
    work.then(resolve, reject).finally(stopListening);
  });
}

/** Sleeps `ms`, or until the signal is aborted. Never rejects: whoever waits looks at the signal. */
export async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch {
    // Aborted.
  }
}

/** Why work was stopped from outside: its time is over, or nobody waits for its result any more. */
export type CancelReason = "deadline" | "caller-gone";

/** Work that can be stopped while it waits. It waits for one thing at a time, so one slot does what a list of listeners would. */
export interface Cancellable {
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
  /** Monotonic milliseconds after which no step may wait any longer. */
  readonly deadlineAt: number;
  /** Set once it was stopped; a deadline takes the place of a caller gone. */
  cancelReason: CancelReason | undefined;
  /**
   * Whatever is waited for at this moment sets this, and takes it back when the wait is over.
   * An object and not a function: a closure for each call in this place made V8 keep one call
   * alive through the next, and a third of all garbage survived its first collection.
   */
  waiting: Waiting | undefined;
}

/** What is told when the work that waits for it is stopped. */
export interface Waiting {
  cancelled(why: CancelReason): void;
}

/** Stops the work: tells whatever it waits for. */
export function cancel(work: Cancellable, why: CancelReason): void {
  if (work.cancelReason === "deadline") return;
  work.cancelReason = why;
  work.waiting?.cancelled(why);
}

/** From 0 to 1, below 1: for jitter. Passed in wherever it is used, so that a test or a simulation can seed it. */
export function random(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/** How long to wait before something is tried again: longer each time, and never at the same moment as others. Milliseconds. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * @param tries how often it has failed, from 1
 * @param random from 0 to 1: the wait lies between half of the full one and all of it
 */
export function backOffMs({ firstMs, mostMs }: BackOff, tries: number, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(tries - 1, 30));
  return full * (0.5 + random / 2);
}

/** What waiting is made of. */
interface BackOffDeps {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Between two tries of what must be done before anything else can be. */
const patience = { firstMs: 100, mostMs: 5_000 };

/** Tries again and again, ever more slowly, until it works. Rejects with the signal's reason when it is aborted. */
export async function retryForever<T>(
  { clock, random }: BackOffDeps,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch {
      await clock.sleep(backOffMs(patience, tries, random()), signal);
    }
  }
}

/**
 * Tries again and again, ever more slowly, until `work` gives something. Gives undefined once the
 * signal is aborted; a try that is under way then is seen to its end, but none is begun.
 */
export async function retryUnlessAborted<T>(
  { clock, random }: BackOffDeps,
  signal: AbortSignal,
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  for (let tries = 1; !signal.aborted; tries += 1) {
    const result = await work();
    if (result !== undefined) return result;
    await sleepUnlessAborted(clock, backOffMs(patience, tries, random()), signal);
  }
  return undefined;
}
