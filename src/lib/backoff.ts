import { randomInt } from "node:crypto";

import type { Clock } from "../clock.ts";
import { sleepUnlessAborted } from "./async.ts";

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
interface Waiting {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Between two tries of what must be done before anything else can be. */
const patience = { firstMs: 100, mostMs: 5_000 };

/** Tries again and again, ever more slowly, until it works. Rejects with the signal's reason when it is aborted. */
export async function retryForever<T>(
  { clock, random }: Waiting,
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
  { clock, random }: Waiting,
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
