import type { Clock } from "../clock.ts";
import { backOffMs } from "../lib/async.ts";
import type { RenewalEnd } from "./types.ts";

/** When a run that did not bring a token may be followed by another, unless a person wants it. */
export interface Retry {
  ended(end: RenewalEnd): void;
  /** Milliseconds from that moment (monotonic) until then; 0 if nothing is put off. */
  leftMs(monotonic: number): number;
  /** Wall clock, for people; null if nothing is put off for a failure's sake. */
  nextTryAt(): Date | null;
  /** What failed may work now. */
  forget(): void;
  /** There is news: a pause that is for no failure's sake is over. */
  hurry(): void;
}

/** Nothing was issued, and asking again costs Presto a GET. */
const unreachable = { firstMs: 1_000, mostMs: 30_000 };
/** Presto said no: it won't say yes soon. */
const refused = { firstMs: 5_000, mostMs: 5 * 60_000 };
/** However soon the next one is due: two tokens in a breath are a mistake somewhere, and must not become a storm. */
const leastGapMs = 500;
/** The record in hand may be a moment behind the store's. */
const afterNothingMs = 1_000;

export function createRetry({
  clock,
  random,
}: {
  readonly clock: Clock;
  readonly random: () => number;
}): Retry {
  let failures = 0;
  let notBefore = 0;
  let nextTryAt: Date | null = null;

  function putOff(ms: number): void {
    notBefore = clock.monotonic() + ms;
  }

  function failed(ms: number): void {
    putOff(ms);
    nextTryAt = new Date(clock.now() + ms);
  }

  function succeeded(gapMs: number): void {
    failures = 0;
    nextTryAt = null;
    putOff(gapMs);
  }

  return {
    ended(end) {
      switch (end.kind) {
        case "renewed":
          return succeeded(leastGapMs);
        case "nothing-to-do":
        case "stopped":
        case "elsewhere":
          return succeeded(afterNothingMs);
        case "refused":
          failures += 1;
          return failed(Math.max(backOffMs(refused, failures, random()), end.retryAfterMs ?? 0));
        case "unreachable":
        case "lost":
          failures += 1;
          return failed(backOffMs(unreachable, failures, random()));
        case "young-token":
          return failed(end.nextLookMs);
        case "shut-down":
          break;
      }
    },
    leftMs: (monotonic) => Math.max(0, notBefore - monotonic),
    nextTryAt: () => (clock.monotonic() < notBefore ? nextTryAt : null),
    hurry() {
      if (failures === 0) notBefore = 0;
    },
    forget() {
      failures = 0;
      notBefore = 0;
      nextTryAt = null;
    },
  };
}
