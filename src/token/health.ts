import type { Clock } from "../clock.ts";

/**
 * What Presto's answers to this process's own calls say of the tokens that they were made
 * with. It is kept in memory, of the few tokens that were spoken of last.
 */
export interface TokenHealth {
  /**
   * Presto answered 2xx with JSON to a call with this token. Cheap: for every call.
   * @param sentAt monotonic time at which that call was sent. Without it the answer counts from now on, and one
   *   that was slow can make a token seem alive which died while it was on its way: give it wherever it is known
   */
  accepted(tokenId: string, sentAt?: number): void;
  /** Presto answered 401 in its own shape to a call with this token. */
  refused(tokenId: string): void;
  /** Presto has just made this token: for 30 s a 401 to it counts for nothing, since its replicas may not know it yet. */
  issued(tokenId: string): void;
  /** Was a call accepted that was sent at that monotonic time or later? */
  acceptedSince(tokenId: string, monotonic: number): boolean;
  /** Was it made less than 30 s ago? */
  isYoung(tokenId: string): boolean;
  /** Was it refused, and not accepted since? */
  isRefused(tokenId: string): boolean;
  /** Was it refused twice, at least 5 s apart, and not accepted since the first? */
  refusedTwice(tokenId: string): boolean;
}

/** A 401 to a token younger than this proves nothing: Presto's own replicas may not know it yet. Milliseconds. */
export const youngMs = 30_000;

/**
 * Milliseconds for which a token that was made then is still young, 0 where it is not. A time to
 * come is a clock's fault, and no reason to believe in the token for longer.
 * @param now of the clock that the token's time was read from, milliseconds since 1970
 */
export function youngLeftMs(issuedAt: Date, now: number): number {
  const ageMs = now - issuedAt.getTime();
  return Math.abs(ageMs) < youngMs ? Math.min(youngMs, youngMs - ageMs) : 0;
}

/**
 * Between two 401s that prove a death, milliseconds. Two probes go over connections of their
 * own and 2 s will do; calls may share one, so their distance stands in for that.
 */
const apartMs = 5_000;

/** At most one token lives; more than a few are never spoken of at a time. */
const mostTokens = 16;

interface Known {
  readonly id: string;
  acceptedSentAt: number;
  /** Of the first refusal after the last acceptance. */
  refusedAt: number;
  twice: boolean;
  youngUntil: number;
}

export function createTokenHealth(clock: Pick<Clock, "monotonic">): TokenHealth {
  const known = new Map<string, Known>();
  let last: Known | undefined;

  /** Nothing is made where the id is the last one again, as it is for nearly every call. */
  function of(id: string): Known {
    if (last?.id === id) return last;
    last = known.get(id);
    if (last !== undefined) return last;
    last = { id, acceptedSentAt: -Infinity, refusedAt: Infinity, twice: false, youngUntil: -Infinity };
    known.set(id, last);
    const [oldest] = known.keys();
    if (known.size > mostTokens && oldest !== undefined) known.delete(oldest);
    return last;
  }

  return {
    accepted(tokenId, sentAt = clock.monotonic()) {
      const token = of(tokenId);
      if (sentAt > token.acceptedSentAt) token.acceptedSentAt = sentAt;
      token.refusedAt = Infinity;
      token.twice = false;
    },
    refused(tokenId) {
      const token = of(tokenId);
      const now = clock.monotonic();
      if (now < token.youngUntil) return;
      if (token.refusedAt === Infinity) token.refusedAt = now;
      else if (now - token.refusedAt >= apartMs) token.twice = true;
    },
    issued(tokenId) {
      of(tokenId).youngUntil = clock.monotonic() + youngMs;
    },
    acceptedSince: (tokenId, monotonic) => (known.get(tokenId)?.acceptedSentAt ?? -Infinity) >= monotonic,
    isYoung: (tokenId) => clock.monotonic() < (known.get(tokenId)?.youngUntil ?? -Infinity),
    isRefused: (tokenId) => (known.get(tokenId)?.refusedAt ?? Infinity) !== Infinity,
    refusedTwice: (tokenId) => known.get(tokenId)?.twice ?? false,
  };
}
