import type { Clock } from "../clock.ts";
import { dayMs } from "../lib/duration.ts";

/** The newest so many… */
const most = 100_000;
/** …are remembered, for so long at most. */
const longestMs = dayMs;

/** Transactions whose money has moved, as far as this process remembers. */
export interface Completed {
  add(key: string): void;
  /** Wall clock of when that was learnt; undefined of one that is not known. */
  at(key: string): number | undefined;
  /** @returns whether it was known */
  forget(key: string): boolean;
}

/**
 * A ring beside the map says which is the oldest: to find it in the map itself is dear, since V8
 * walks past all that was deleted before it.
 */
export function createCompleted(clock: Pick<Clock, "monotonic" | "now">): Completed {
  /** Monotonic times. */
  const times = new Map<string, number>();
  /** In the order of their coming; what was forgotten since leaves its place empty. */
  const keys: (string | undefined)[] = [];
  const addedAt: number[] = [];
  let oldest = 0;
  let next = 0;

  /** A key that came again has its time of then: only the place of that time is its own. */
  function dropOldest(): void {
    const key = keys[oldest];
    if (key !== undefined && times.get(key) === addedAt[oldest]) times.delete(key);
    keys[oldest] = undefined;
    oldest = (oldest + 1) % (most + 1);
  }

  return {
    add(key) {
      const now = clock.monotonic();
      times.set(key, now);
      keys[next] = key;
      addedAt[next] = now;
      next = (next + 1) % (most + 1);
      if (next === oldest) dropOldest();
      while (oldest !== next && now - (addedAt[oldest] ?? now) >= longestMs) dropOldest();
    },
    at(key) {
      const at = times.get(key);
      if (at === undefined) return undefined;
      const ageMs = clock.monotonic() - at;
      return ageMs < longestMs ? clock.now() - ageMs : undefined;
    },
    forget: (key) => times.delete(key),
  };
}
