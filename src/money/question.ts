import type { Clock } from "../clock.ts";
import { cancel } from "../lib/async.ts";
import type { Operation } from "../policy/operations.ts";
import { namesAnother } from "../upstream/answered-for.ts";
import {
  type Call,
  discard,
  type Perform,
  performed,
  type Response,
  type TransactionStatus,
} from "../upstream/call.ts";
import { askedPauseMs } from "../upstream/circuit.ts";
import { largestContent } from "../upstream/content.ts";
import { answeredReferences, keyOf } from "../upstream/references.ts";
import { statusIn } from "./judge.ts";

/** What is asked for. */
export interface Question {
  readonly path: string;
  readonly reference: string;
  /** The member of Presto's answer that names the transaction. */
  readonly member: string;
  /** Of the call that it is about. */
  readonly requestId: string;
}

export interface QuestionAnswer {
  readonly status: TransactionStatus;
  /** Presto wants no further question for so long, milliseconds. */
  readonly waitMs: number;
}

export interface AskDeps {
  /** With turns of its own. */
  readonly perform: Perform;
  readonly clock: Clock;
  /** The longest that a question takes, milliseconds. */
  readonly timeoutMs: number;
  /** Questions without an answer, for whoever stops them. */
  readonly underWay: Set<Call>;
}

/**
 * The documented remedy for a confirm whose answer was lost: a GET, so asking moves nothing. Only
 * `completed`, `failed` and `pending` in a 200 are words of Presto's about a transaction; a 404 is
 * not (what looks after states may lag behind), nor is any other answer, or one about another
 * transaction. Never rejects.
 */
export async function askAbout(
  { path, reference, member, requestId }: Question,
  { perform, clock, timeoutMs, underWay }: AskDeps,
): Promise<QuestionAnswer> {
  const now = clock.monotonic();
  const call = createCall(path, requestId, now, now + timeoutMs);
  const timer = clock.after(timeoutMs, () => cancel(call, "deadline"));
  underWay.add(call);
  try {
    const response = await performed(perform, call);
    const asked = [{ text: reference, isNumber: false, key: keyOf(reference) }];
    const isAnother = namesAnother(answeredReferences(response, member), asked);
    return {
      status: isAnother ? "not-known" : readStatus(response),
      waitMs: askedPauseMs(response, clock.now()),
    };
  } catch {
    return { status: "not-known", waitMs: 0 };
  } finally {
    timer.cancel();
    underWay.delete(call);
  }
}

function readStatus(response: Response): TransactionStatus {
  // One that is too large to be held says nothing.
  discard(response);
  const status = response.status === 200 ? statusIn(response) : undefined;
  return status === "completed" || status === "failed" || status === "pending" ? status : "not-known";
}

const question: Operation = { name: "wallet.transaction", method: "GET", template: "", nature: "reads" };

function createCall(target: string, requestId: string, arrivedAt: number, deadlineAt: number): Call {
  let held = 0;
  return {
    requestId,
    operation: question,
    method: "GET",
    target,
    headers: ["accept", "application/json", "accept-encoding", "identity", "x-request-id", requestId],
    body: undefined,
    arrivedAt,
    deadlineAt,
    lastAt: deadlineAt,
    // What is larger says nothing that is looked at.
    reserve(bytes) {
      held += bytes;
      return held <= largestContent;
    },
    cancelReason: undefined,
    waiting: undefined,
    requestWritten: false,
    attempts: 0,
    upstreamMs: 0,
    generation: undefined,
  };
}
