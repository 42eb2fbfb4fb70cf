import { randomInt } from "node:crypto";

/** From 0 to 1, below 1: for jitter. Passed in wherever it is used, so that a test or a simulation can seed it. */
export function random(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}
