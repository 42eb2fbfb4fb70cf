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

export function createCompleted(clock: Pick<Clock, "monotonic" | "now">): Completed {
  /** Monotonic times; the oldest first. */
  const times = new Map<string, number>();

  function dropOld(): void {
    const now = clock.monotonic();
    for (const [key, at] of times) {
      if (times.size <= most && now - at < longestMs) return;
      times.delete(key);
    }
  }

  return {
    add(key) {
      times.delete(key);
      times.set(key, clock.monotonic());
      dropOld();
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
