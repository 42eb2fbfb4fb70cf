import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import { type CallEnd, callOnce, PrestoCallError } from "../upstream/request-once.ts";
import { kindOfOwnAnswer, type OutcomeKind } from "./outcomes.ts";

export interface KnockOptions {
  /** A pool for one call to Presto, closed after it: only a new connection shows the way that calls go now. */
  readonly openPool: () => Dispatcher;
  /** Made-up transaction reference that is asked for. */
  readonly reference: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Asks Presto for a transaction that does not exist, without a token. Presto's application
 * answers that with 401, and whatever keeps strangers out with something else: so the answer
 * shows whether the address is let in, before a call of money is put at risk and while none
 * may be sent.
 * @returns never rejects; `unclear` where no connection was had, since the connector tells of that by itself
 */
export function createKnock(options: KnockOptions): () => Promise<OutcomeKind> {
  const { openPool, reference, timeoutMs, clock } = options;
  const path = `/api/institutions/v1/wallet/transaction/${reference}`;
  return async () => {
    const stop = new AbortController();
    const timer = clock.after(timeoutMs, () => stop.abort());
    const headers = ["accept", "application/json", "accept-encoding", "identity"];
    const control = { mayBegin: () => true, signal: stop.signal };
    const end = await callOnce(openPool, { method: "GET", path, headers }, control);
    timer.cancel();
    return kindOf(end);
  };
}

function kindOf(end: CallEnd): OutcomeKind {
  if (end.kind === "answered") return kindOfOwnAnswer(end.answer);
  if (end.kind === "not-sent") return "unclear";
  return end.cause instanceof PrestoCallError && end.cause.code === "given-up" ? "timed-out" : "failing";
}
