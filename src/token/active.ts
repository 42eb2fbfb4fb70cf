import type { Clock } from "../clock.ts";
import type { Emit } from "../lib/events.ts";
import type { Secret } from "../secret.ts";
import type { TokenRecord } from "../store/contract.ts";
import { createToken, type Token } from "./token.ts";

/** A token that was issued and may not be stored yet. */
export interface PendingToken {
  readonly token: Secret;
  readonly generation: number;
  readonly expiresAt: Date | null;
}

/** The one token that requests use: the stored one, or a pending one, which is used before it is stored. */
export interface ActiveToken {
  current(): Token | undefined;
  /** Is the one in hand pending? Then no renewal is to be waited for. */
  isPending(): boolean;
  /** What stands in the store now. A record without a token takes none away. */
  stored(record: TokenRecord): void;
  setPending(pending: PendingToken): void;
  /** The pending token is dead. */
  discardPending(tokenId: string): void;
  /** What is held against tokens has changed. */
  chooseAgain(): void;
}

/** Another token is in hand. */
export interface TokenChanged {
  readonly type: "token-changed";
  readonly generation: number;
  readonly id: string;
  /** Null where it is unknown. */
  readonly expiresAt: Date | null;
}

interface HeldToken {
  readonly token: Token;
  readonly expiresAt: Date | null;
}

export function createActiveToken(options: {
  readonly emit: Emit<TokenChanged>;
  readonly rejections: Pick<Rejections, "has">;
}): ActiveToken {
  const { emit, rejections } = options;
  let stored: HeldToken | undefined;
  /** `over`: what was stored when it came, and is dead for certain. */
  let pending: (HeldToken & { readonly over: string | undefined }) | undefined;
  let token: Token | undefined;

  /** A pending token goes before the stored one, unless it was refused and another has been stored since. */
  function chooseAgain(): void {
    const isOvertaken =
      pending !== undefined &&
      stored !== undefined &&
      stored.token.id !== pending.over &&
      rejections.has(pending.token.id) &&
      !rejections.has(stored.token.id);
    const chosen = pending === undefined || isOvertaken ? stored : pending;
    if (chosen?.token.id === token?.id) return;
    token = chosen?.token;
    if (chosen === undefined) return;
    const { generation, id } = chosen.token;
    emit({ type: "token-changed", generation, id, expiresAt: chosen.expiresAt });
  }

  return {
    current: () => token,
    isPending: () => pending !== undefined && pending.token.id === token?.id,
    stored({ token: secret, generation, expiresAt }) {
      if (secret !== null && secret.fingerprint() !== stored?.token.id)
        stored = { token: createToken(secret, generation), expiresAt };
      if (pending !== undefined && pending.token.id === stored?.token.id) pending = undefined;
      chooseAgain();
    },
    setPending({ token: secret, generation, expiresAt }) {
      pending = { token: createToken(secret, generation), expiresAt, over: stored?.token.id };
      chooseAgain();
    },
    discardPending(tokenId) {
      if (pending?.token.id !== tokenId) return;
      pending = undefined;
      chooseAgain();
    },
    chooseAgain,
  };
}

/** A token that Presto answered 401 to is tried again by one request at a time, at most this often: a 401 can lie. Milliseconds. */
const retryRejectedMs = 5_000;

/** The first tries are that far apart; each one after them twice as far, up to this: many processes may share one registered address. */
const tightTries = 3;
const retryRejectedMostMs = 30_000;

interface Mark {
  /** How often it was tried since it was marked. */
  tries: number;
  /** How long after the last 401, or the last try, the next one may begin, milliseconds. */
  waitMs: number;
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
  /** The record has changed: tries are as close as at first again. */
  startAnew(): void;
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

/** @param random from 0 to 1, so that not all try at once */
export function createRejections(clock: Clock, random: () => number): Rejections {
  const marks = new Map<string, Mark>();

  function waitAfter(tries: number): number {
    if (tries < tightTries) return retryRejectedMs;
    const full = Math.min(retryRejectedMostMs, retryRejectedMs * 2 ** (tries - tightTries + 1));
    return Math.max(retryRejectedMs, full * (0.75 + random() / 4));
  }

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
      marks.set(id, { tries: 0, waitMs: retryRejectedMs, lastTriedAt: clock.monotonic(), trier: undefined });
      return true;
    },
    startAnew() {
      for (const mark of marks.values()) {
        mark.tries = 0;
        mark.waitMs = retryRejectedMs;
      }
    },
    clear: (id) => marks.delete(id),
    claim(id, who) {
      const mark = marks.get(id);
      if (mark === undefined || mark.trier !== undefined) return false;
      if (clock.monotonic() < mark.lastTriedAt + mark.waitMs) return false;
      mark.trier = who;
      mark.tries += 1;
      mark.waitMs = waitAfter(mark.tries);
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
      return mark.trier === undefined ? mark.lastTriedAt + mark.waitMs : Number.POSITIVE_INFINITY;
    },
  };
}
