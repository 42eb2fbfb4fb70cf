/** How long connections may have been idle and still be taken for a call, learnt from what the server does. Milliseconds. */
export interface IdleTimes {
  /** Longest idleness of a connection for a call that must not meet a dying one: any but a GET. @param used it has carried a call before */
  safeMs(used: boolean): number;
  /** The server has ended a connection that had been idle for so long. */
  ended(idleMs: number): void;
  /** A connection that had been idle for so long was still alive. */
  stood(idleMs: number): void;
  /** The server has said `Keep-Alive: timeout=`. */
  named(timeoutMs: number): void;
}

/** Longest idleness of any connection that is kept. */
export const longestIdleMs = 60_000;
/** Most for a connection that has carried a call, as long as the server has shown nothing shorter… */
const usedMs = 4_000;
/** …and for a spare. */
const spareMs = 10_000;
/** No server counts in less than seconds: what ends sooner ends for another reason, as at a restart. */
const shortestMs = 500;
/** So many ends are remembered: a restart, which ends many connections at once, is forgotten after as many that stood longer. */
const remembered = 16;

/**
 * A call that moves money takes a connection only in the first half of the shortest time that
 * the server has let one stand idle. One close is enough to learn that time; what `Keep-Alive`
 * names counts beside it.
 */
export function createIdleTimes(): IdleTimes {
  const times: number[] = [];
  let namedMs = Number.POSITIVE_INFINITY;
  let seenMs = Number.POSITIVE_INFINITY;
  let half = Number.POSITIVE_INFINITY;

  function add(idleMs: number): void {
    times.push(idleMs);
    if (times.length > remembered) times.shift();
    learn();
  }

  function learn(): void {
    seenMs = Math.min(...times);
    half = Math.min(namedMs, seenMs) / 2;
  }

  return {
    safeMs: (used) => Math.min(used ? usedMs : spareMs, half),
    ended(idleMs) {
      if (idleMs >= shortestMs) add(idleMs);
    },
    stood(idleMs) {
      // Only what contradicts an end that was seen tells anything.
      if (idleMs > seenMs) add(idleMs);
    },
    named(timeoutMs) {
      if (timeoutMs === namedMs) return;
      namedMs = timeoutMs;
      learn();
    },
  };
}
