import type { Clock } from "../clock.ts";

/** A token that Presto answered 401 to is tried again by one request at a time, at most this often: a 401 can lie. */
export const retryRejectedMs = 5_000;

interface Mark {
  /** Monotonic time of the last 401, or of the last try. */
  lastTriedAt: number;
  /** Whoever tries the token at this moment. */
  trier: object | undefined;
}

/** What this process knows of tokens that were answered with 401 (rule P9 of the renewal protocol). */
export interface Rejections {
  has(id: string): boolean;
  /** Marks the token; true if it was not marked before. */
  add(id: string): boolean;
  /** The token was proved alive: takes the mark away; true if there was one. */
  clear(id: string): boolean;
  /** May `who` try this marked token now? If so, nobody else may until `release`. */
  claim(id: string, who: object): boolean;
  isClaimedBy(id: string, who: object): boolean;
  /** The try of `who` is over, however it ended; true if it had a claim. */
  release(id: string, who: object): boolean;
  /** Monotonic time at which the next try may begin. */
  nextTryAt(id: string): number;
}

/** Old tokens never come back, so only so many marks are worth keeping. */
const mostMarks = 64;

export function createRejections(clock: Clock): Rejections {
  const marks = new Map<string, Mark>();

  return {
    has: (id) => marks.has(id),
    add(id) {
      const mark = marks.get(id);
      if (mark !== undefined) {
        mark.lastTriedAt = clock.monotonic();
        return false;
      }
      const [oldest] = marks.keys();
      if (marks.size >= mostMarks && oldest !== undefined) marks.delete(oldest);
      marks.set(id, { lastTriedAt: clock.monotonic(), trier: undefined });
      return true;
    },
    clear: (id) => marks.delete(id),
    claim(id, who) {
      const mark = marks.get(id);
      if (mark === undefined || mark.trier !== undefined) return false;
      if (clock.monotonic() < mark.lastTriedAt + retryRejectedMs) return false;
      mark.trier = who;
      return true;
    },
    isClaimedBy: (id, who) => marks.get(id)?.trier === who,
    release(id, who) {
      const mark = marks.get(id);
      if (mark?.trier !== who) return false;
      mark.trier = undefined;
      mark.lastTriedAt = clock.monotonic();
      return true;
    },
    nextTryAt(id) {
      const mark = marks.get(id);
      if (mark === undefined) return 0;
      return mark.trier === undefined ? mark.lastTriedAt + retryRejectedMs : Number.POSITIVE_INFINITY;
    },
  };
}
