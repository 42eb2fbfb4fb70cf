import { randomInt } from "node:crypto";

import type { Clock } from "../clock.ts";

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

/** Between two tries of what must be done before anything else can be. */
const patience = { firstMs: 100, mostMs: 5_000 };

/** Tries again and again, ever more slowly, until it works. Rejects with the signal's reason when it is aborted. */
export async function insist<T>(
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
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
