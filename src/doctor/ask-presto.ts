import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import { kindOfOwnAnswer, type OutcomeKind } from "../egress-ip/outcomes.ts";
import { fieldOf } from "../upstream/call.ts";
import { callOnce } from "../upstream/request-once.ts";

/** What a question without a token met at Presto's door. Times are wall clock, milliseconds since 1970. */
export type DoorAnswer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly outcome: OutcomeKind;
      /** The Date field (RFC 9110 section 6.6.1), as it came. */
      readonly date: string | undefined;
      /** Right before the first byte. */
      readonly sentAt: number;
      readonly receivedAt: number;
    }
  /** `late`: nothing whole came in time. */
  | { readonly kind: "no-answer"; readonly late: boolean; readonly error: unknown };

export interface AskPrestoOptions {
  /** A pool for this question alone. */
  readonly openPool: () => Dispatcher;
  /** Made-up transaction reference. */
  readonly reference: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Gives it up. */
  readonly stop: AbortSignal;
}

/**
 * Asks for a transaction that does not exist, without a token: Presto's application refuses
 * that, and whoever keeps strangers out answers something else. Acts on nothing. Never rejects.
 */
export async function askPresto(options: AskPrestoOptions): Promise<DoorAnswer> {
  const { openPool, reference, timeoutMs, clock, stop } = options;
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  let sentAt = clock.now();
  const control = {
    mayBegin() {
      sentAt = clock.now();
      return true;
    },
    signal: AbortSignal.any([stop, late.signal]),
  };
  const path = `/api/institutions/v1/wallet/transaction/${reference}`;
  const headers = ["accept", "application/json", "accept-encoding", "identity"];
  const end = await callOnce(openPool, { method: "GET", path, headers }, control);
  const receivedAt = clock.now();
  timer.cancel();
  if (end.kind !== "answered") return { kind: "no-answer", late: control.signal.aborted, error: end.cause };
  const { answer } = end;
  return {
    kind: "answered",
    status: answer.status,
    outcome: kindOfOwnAnswer(answer),
    date: fieldOf(answer, "date"),
    sentAt,
    receivedAt,
  };
}
