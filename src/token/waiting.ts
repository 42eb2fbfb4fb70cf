import type { Clock, Timer } from "../clock.ts";
import type { Cancellable, CancelReason } from "../lib/async.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { ActiveToken, Rejections } from "./active.ts";
import type { Token } from "./token.ts";

/** The wait for a token ended without one. */
export type NoToken =
  | { readonly kind: "none"; readonly renewing: boolean }
  | { readonly kind: "cancelled"; readonly why: CancelReason; readonly renewing: boolean };

export type TokenOrNone = { readonly kind: "token"; readonly token: Token } | NoToken;

export interface WaitingDeps {
  readonly clock: Clock;
  /** Longest that a new request is held because a renewal is under way, milliseconds (HOLD_MAX). */
  readonly holdMaxMs: number;
  /** Can the store give another token than the one that it gave? */
  readonly canChange: boolean;
  readonly active: Pick<ActiveToken, "current" | "isPending">;
  readonly rejections: Rejections;
  readonly waits: TokenWaits;
}

/** Which requests wait for a token, for how long, and what ends it: rules P3, P4, P5, P6, P8 and P9. */
export interface Waiting {
  /** Another record is in hand, with or without the intent of a renewal. */
  adopted(record: TokenRecord): void;
  /** The token to send a new request with right now, or undefined if it has to wait first. */
  ready(): Token | undefined;
  waitForToken(call: Cancellable): Promise<TokenOrNone>;
  isCurrent(call: Cancellable, token: Token): boolean;
  afterRejection(call: Cancellable, refused: ReadonlySet<string>): Promise<TokenOrNone>;
}

export function createWaiting(deps: WaitingDeps): Waiting {
  const { clock, holdMaxMs, canChange, active, rejections, waits } = deps;
  /** The intent that stands, and when this process first saw it: no other machine's clock is compared. */
  let intent: { readonly id: string; readonly seenAt: number } | undefined;

  /** Until when P3 holds new requests; 0 if nothing holds them. A pending token is the live one, whatever the record says. */
  function heldUntil(): number {
    return intent === undefined || active.isPending() ? 0 : intent.seenAt + holdMaxMs;
  }

  /** To the deadline while a renewal is under way, else for as long as one may take to begin. */
  function limitFrom(since: number, call: Cancellable): number {
    return intent === undefined ? since + holdMaxMs : call.deadlineAt;
  }

  /** P9: one request at a time tries a rejected token; the others wait until `limit`. */
  function judgeKnown(call: Cancellable, known: Token, limit: number): Verdict<Token> {
    if (!rejections.has(known.id) || rejections.claim(known.id, call)) return { kind: "take", value: known };
    if (!canChange || clock.monotonic() >= limit) return { kind: "give-up" };
    return { kind: "wait", until: Math.min(limit, rejections.nextTryAt(known.id)) };
  }

  async function settle(call: Cancellable, judge: () => Verdict<Token>): Promise<TokenOrNone> {
    const end = await waits.wait(call, judge);
    const renewing = intent !== undefined;
    if (end.kind === "taken") return { kind: "token", token: end.value };
    if (end.kind === "gave-up") return { kind: "none", renewing };
    return { kind: "cancelled", why: end.why, renewing };
  }

  return {
    adopted({ intent: found }) {
      if (found === null) intent = undefined;
      else if (found.id !== intent?.id) intent = { id: found.id, seenAt: clock.monotonic() };
    },
    ready() {
      const token = active.current();
      if (token === undefined || rejections.has(token.id) || clock.monotonic() < heldUntil())
        return undefined;
      return token;
    },
    waitForToken(call) {
      return settle(call, () => {
        const held = heldUntil();
        if (clock.monotonic() < held) return { kind: "wait", until: held };
        const token = active.current();
        if (token === undefined) return { kind: "give-up" };
        return judgeKnown(call, token, limitFrom(call.arrivedAt, call));
      });
    },
    isCurrent(call, held) {
      if (held.id !== active.current()?.id || clock.monotonic() < heldUntil()) return false;
      return !rejections.has(held.id) || rejections.isClaimedBy(held.id, call);
    },
    afterRejection(call, refused) {
      const rejectedAt = clock.monotonic();
      return settle(call, () => {
        const limit = limitFrom(rejectedAt, call);
        const token = active.current();
        if (token !== undefined && !refused.has(token.id)) return judgeKnown(call, token, limit);
        if (!canChange || clock.monotonic() >= limit) return { kind: "give-up" };
        return { kind: "wait", until: limit };
      });
    },
  };
}

/** What a waiting call makes of the state at this moment. */
export type Verdict<T> =
  | { readonly kind: "take"; readonly value: T }
  | { readonly kind: "give-up" }
  /** Look again at `until` (monotonic), or as soon as something changes. */
  | { readonly kind: "wait"; readonly until: number };

/** How a wait ended. */
export type WaitEnd<T> =
  | { readonly kind: "taken"; readonly value: T }
  | { readonly kind: "gave-up" }
  | { readonly kind: "cancelled"; readonly why: CancelReason };

/** Calls that wait for the token path's state to change. */
export interface TokenWaits {
  /** Waits until `judge` takes something or gives up, or the call is interrupted. */
  wait<T>(call: Cancellable, judge: () => Verdict<T>): Promise<WaitEnd<T>>;
  /** The state has changed: every waiting call looks again, in the order of their coming. */
  wake(): void;
}

/** @param onAny called when the first call begins to wait, and when none does any more */
export function createTokenWaits(clock: Clock, onAny: (any: boolean) => void): TokenWaits {
  const looks = new Set<() => void>();

  return {
    wait<T>(call: Cancellable, judge: () => Verdict<T>) {
      return new Promise<WaitEnd<T>>((resolve) => {
        let timer: Timer | undefined;
        let over = false;
        const end = (result: WaitEnd<T>): void => {
          over = true;
          timer?.cancel();
          call.waiting = undefined;
          if (looks.delete(look) && looks.size === 0) onAny(false);
          resolve(result);
        };
        const look = (): void => {
          timer?.cancel();
          const verdict = judge();
          if (verdict.kind === "take") end({ kind: "taken", value: verdict.value });
          else if (verdict.kind === "give-up") end({ kind: "gave-up" });
          else if (Number.isFinite(verdict.until))
            timer = clock.after(verdict.until - clock.monotonic(), look);
        };
        if (call.cancelReason !== undefined) {
          end({ kind: "cancelled", why: call.cancelReason });
          return;
        }
        call.waiting = { cancelled: (why) => end({ kind: "cancelled", why }) };
        look();
        if (over) return;
        looks.add(look);
        if (looks.size === 1) onAny(true);
      });
    },
    wake() {
      for (const look of looks) look();
    },
  };
}
