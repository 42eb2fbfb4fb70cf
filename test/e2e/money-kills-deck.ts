import type { ConnectionFault, RequestEffect } from "../../src/sandbox/fault-kinds.ts";
import type { Span } from "../support/deck.ts";

/** What becomes of a confirm on Presto's side. */
export interface ConfirmFault {
  readonly name: string;
  /** Undefined: Presto does as it should. */
  effect?(reference: string): RequestEffect;
  /** The end is unclear, and Presto does not carry it out: whatever says that it completed is a lie. */
  readonly nothingMoves?: true;
  /** It is kept waiting, and executed so long after the kill. Without it, one that is kept waiting never is. */
  readonly executedAfterMs?: Span;
}

/** What becomes of the questions about a transaction. */
export interface QuestionFault {
  readonly name: string;
  effect?(reference: string): RequestEffect;
  /** Undefined: as long as the proof goes on; then Presto never says what became of it. */
  readonly times?: number;
}

const other = "TRX000000001";

function success(reference: string, more: object = {}): Extract<RequestEffect, { kind: "answer" }> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ data: { transaction_reference: reference, ...more } });
  return { kind: "answer", status: 200, headers, body };
}

const plain: ConfirmFault = { name: "none" };

/** One deck. Every fault of the sandbox that strikes requests is in it, with and without the money moving. */
export const confirmFaults: readonly ConfirmFault[] = [
  plain,
  plain,
  plain,
  plain,
  { name: "reset before reading", effect: () => ({ kind: "reset-before-reading" }) },
  { name: "reset before acting", effect: () => ({ kind: "reset-before-acting" }) },
  { name: "reset after acting", effect: () => ({ kind: "reset-after-acting" }) },
  { name: "kept waiting, never executed", effect: () => ({ kind: "hold" }) },
  { name: "kept waiting, executed later", effect: () => ({ kind: "hold" }), executedAfterMs: [0, 1_400] },
  { name: "kept waiting, executed later", effect: () => ({ kind: "hold" }), executedAfterMs: [0, 1_400] },
  { name: "kept waiting, executed", effect: () => ({ kind: "hold", acts: true }) },
  { name: "head slow", effect: () => ({ kind: "slow-head", ms: 40 }) },
  { name: "head very slow", effect: () => ({ kind: "slow-head", ms: 600 }) },
  { name: "body slow", effect: () => ({ kind: "slow-body", ms: 40 }) },
  { name: "body very slow", effect: () => ({ kind: "slow-body", ms: 600 }) },
  { name: "half an answer", effect: () => ({ kind: "half-answer" }) },
  { name: "no HTTP", effect: () => ({ kind: "garbage" }) },
  { name: "500", effect: () => ({ kind: "status", status: 500 }), nothingMoves: true },
  { name: "502, executed", effect: () => ({ kind: "status", status: 502, acts: true }) },
  { name: "503 with a pause", effect: () => ({ kind: "status", status: 503, retryAfter: 1 }) },
  { name: "503, executed", effect: () => ({ kind: "status", status: 503, acts: true }) },
  { name: "504", effect: () => ({ kind: "status", status: 504 }), nothingMoves: true },
  {
    name: "504, executed later",
    effect: () => ({ kind: "status", status: 504, acts: true, actsAfterMs: 900 }),
  },
  {
    name: "504, executed soon",
    effect: () => ({ kind: "status", status: 504, acts: true, actsAfterMs: 150 }),
  },
  { name: "408, executed", effect: () => ({ kind: "status", status: 408, acts: true }) },
  { name: "409, executed", effect: () => ({ kind: "status", status: 409, acts: true }) },
  { name: "425", effect: () => ({ kind: "status", status: 425 }), nothingMoves: true },
  { name: "400", effect: () => ({ kind: "status", status: 400 }) },
  { name: "422", effect: () => ({ kind: "status", status: 422 }) },
  { name: "429 with a pause", effect: () => ({ kind: "status", status: 429, retryAfter: 1 }) },
  { name: "gateway's 502", effect: () => ({ kind: "html" }), nothingMoves: true },
  { name: "gateway's 502, executed", effect: () => ({ kind: "html", acts: true }) },
  { name: "gateway's 403, executed", effect: () => ({ kind: "html", status: 403, acts: true }) },
  { name: "gateway's 200", effect: () => ({ kind: "html", status: 200 }), nothingMoves: true },
  { name: "302, executed", effect: () => ({ kind: "answer", status: 302, acts: true }) },
  { name: "200 without content, executed", effect: () => ({ kind: "answer", status: 200, acts: true }) },
  { name: "200 about another", effect: () => success(other) },
  { name: "200 about another, executed", effect: () => ({ ...success(other), acts: true }) },
  { name: "200 that is pending", effect: (reference) => success(reference, { status: "pending" }) },
];

/** A second confirm of the same transaction meets one of these now and then. */
export const laterFaults: readonly ConfirmFault[] = confirmFaults.filter(
  ({ name, executedAfterMs }) => executedAfterMs === undefined && !name.startsWith("kept"),
);

export const noQuestionFault: QuestionFault = { name: "none" };

/** What it says of another must not count. */
export const aboutAnother: QuestionFault = {
  name: "about another",
  effect: () => success(other, { status: "completed" }),
  times: 2,
};

/** Said early; by the time at which it counts, Presto says what is so. */
const earlyFailed: QuestionFault = {
  name: "failed, too early",
  effect: (reference) => success(reference, { status: "failed" }),
  times: 2,
};

export const questionFaults: readonly QuestionFault[] = [
  earlyFailed,
  earlyFailed,
  { name: "kept waiting", effect: () => ({ kind: "hold" }), times: 1 },
  { name: "404", effect: () => ({ kind: "status", status: 404 }), times: 2 },
  { name: "404 for ever", effect: () => ({ kind: "status", status: 404 }) },
  { name: "500", effect: () => ({ kind: "status", status: 500 }), times: 2 },
  { name: "500 for ever", effect: () => ({ kind: "status", status: 500 }) },
  { name: "pending", effect: (reference) => success(reference, { status: "pending" }), times: 2 },
  { name: "another word for ever", effect: (reference) => success(reference, { status: "reversed" }) },
  aboutAnother,
  { name: "no HTTP", effect: () => ({ kind: "garbage" }), times: 1 },
  { name: "reset", effect: () => ({ kind: "reset-after-acting" }), times: 1 },
  { name: "gateway's page", effect: () => ({ kind: "html", status: 200 }), times: 1 },
  { name: "slow", effect: () => ({ kind: "slow-head", ms: 300 }), times: 2 },
];

/** The next few connections, of whatever call: nothing of these is sent. */
export const connectionFaults: readonly ConnectionFault[] = [
  { kind: "reset-at-connect", times: 4 },
  { kind: "stall-at-connect", times: 4 },
  { kind: "wrong-certificate", certificate: "expired", times: 4 },
  { kind: "old-tls", times: 3 },
];
