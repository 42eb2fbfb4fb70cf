import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until a test moves it. */
export interface HandClock extends Clock {
  /** Moves on by `ms`, running what falls due in order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** The machine sleeps: the monotonic clock stands still, and its timers with it. */
  suspend(ms: number): void;
  /** Somebody sets the wall clock, by so much. */
  setWall(byMs: number): void;
  /** Time passes within one step of the program: what falls due in it runs later. */
  skip(ms: number): void;
}

export function createHandClock(start = Date.UTC(2026, 10, 24)): HandClock {
  let elapsed = 0;
  let serial = 0;
  let sleptMs = 0;
  let setByMs = 0;
  const due = new Map<number, { at: number; run: () => void }>();

  function set(ms: number, run: () => void): () => void {
    serial += 1;
    const key = serial;
    due.set(key, { at: elapsed + Math.max(0, ms), run });
    return () => void due.delete(key);
  }

  function next(until: number): number | undefined {
    let best: number | undefined;
    for (const [key, timer] of due) {
      const bestAt =
        best === undefined ? Number.POSITIVE_INFINITY : (due.get(best)?.at ?? Number.POSITIVE_INFINITY);
      if (timer.at <= until && timer.at < bestAt) best = key;
    }
    return best;
  }

  return {
    now: () => start + elapsed + sleptMs + setByMs,
    monotonic: () => elapsed,
    sinceBoot: () => elapsed + sleptMs,
    suspend(ms) {
      sleptMs += ms;
    },
    setWall(byMs) {
      setByMs += byMs;
    },
    after: (ms, run) => ({ cancel: set(ms, run) }),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        const onAbort = (): void => {
          cancel();
          reject(signal?.reason);
        };
        const cancel = set(ms, () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        });
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    skip(ms) {
      elapsed += ms;
    },
    async advance(ms) {
      const until = elapsed + ms;
      await settled();
      for (let key = next(until); key !== undefined; key = next(until)) {
        const timer = due.get(key);
        due.delete(key);
        if (timer === undefined) continue;
        elapsed = Math.max(elapsed, timer.at);
        timer.run();
        await settled();
      }
      elapsed = Math.max(elapsed, until);
      await settled();
    },
  };
}

/** Lets everything run that only waits for promises. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
