import type { UnreadReason } from "../upstream/references.ts";

/** What is told of calls that move money. None of it but what is settled names a transaction, and that not to metrics; in the log only the line of a call names one, if its end was unclear. */
export type MoneyEvent =
  | MoneyUnguarded
  | OutcomeOpen
  | OutcomesChanged
  | OutcomeSettled
  | OutcomeGivenUp
  | CompletedAfterFailed
  | AnswerToAnotherSeen;

interface OfCall {
  /** Name of the operation. */
  readonly operation: string;
  readonly requestId: string;
}

/** A call is sent without its transaction being known, so that nothing keeps a second one back. */
interface MoneyUnguarded extends OfCall {
  readonly type: "money-unguarded";
  readonly reason: UnreadReason;
}

/** A call has ended, and may have moved money. */
interface OutcomeOpen extends OfCall {
  readonly type: "outcome-open";
  /** Undefined: it can be asked about. */
  readonly unaskable: UnaskableReason | undefined;
}

/** `no-ask`: the operation names no path for it. `no-reference`: the call names none that was read. `not-plain`: it can't stand in a path. */
export const unaskableReasons = ["no-ask", "no-reference", "not-plain"] as const;

export type UnaskableReason = (typeof unaskableReasons)[number];

/** So many calls have no known end now. */
interface OutcomesChanged {
  readonly type: "outcomes-changed";
  readonly open: number;
}

/** What became of one is known. */
export interface OutcomeSettled extends OfCall {
  readonly type: "outcome-settled";
  readonly reference: string | undefined;
  readonly status: "completed" | "failed";
  readonly by: "presto" | "person";
  /** Presto had said `failed` before. */
  readonly contradicts: boolean;
  /** Wall clock. */
  readonly at: number;
  /** Milliseconds since the call was given up. */
  readonly ms: number;
}

/** Nobody asks about it any more: `PRESTO_SETTLE_OUTCOMES` has passed. */
interface OutcomeGivenUp extends OfCall {
  readonly type: "outcome-given-up";
}

/** Presto says `completed` of a transaction of which it had said `failed`. */
interface CompletedAfterFailed extends OfCall {
  readonly type: "completed-after-failed";
}

/** An answer named another transaction than its call. */
interface AnswerToAnotherSeen extends OfCall {
  readonly type: "answer-to-another";
}
