import type { Clock } from "../clock.ts";
import { cancel } from "../lib/async.ts";
import type { Operation } from "../policy/operations.ts";
import { namesAnother } from "./answered-for.ts";
import { type Response, type Call, discard } from "./call.ts";
import { contentOf, parseJson } from "./content.ts";
import { performed, type Perform } from "./with-token.ts";

/** What Presto says of a transaction at one moment. */
export interface TransactionView {
  readonly reference: string;
  readonly status: "completed" | "failed" | "pending" | "not-known";
  /** When it was asked. */
  readonly askedAt: Date;
}

export interface ReconcileOptions {
  readonly perform: Perform;
  readonly clock: Clock;
}

/** Asks what became of a call with an unknown outcome, until `lastAt` (monotonic milliseconds). Undefined where the call names no transaction. Never rejects. */
export type Reconcile = (call: Call, lastAt: number) => Promise<TransactionView | undefined>;

/** The documented remedy for a confirm whose answer was lost; a GET, so asking moves nothing. */
export function createReconcile(options: ReconcileOptions): Reconcile {
  const { perform, clock } = options;
  return async (call, lastAt) => {
    const { reconcile } = call.operation;
    const reference = reconcile === undefined ? undefined : readReference(call.body, reconcile.member);
    if (reconcile === undefined || reference === undefined) return undefined;
    const path = reconcile.path.replace("{reference}", reference);
    const question = createQuestion(call, path, clock.monotonic(), lastAt);
    const timer = clock.after(lastAt - clock.monotonic(), () => cancel(question, "deadline"));
    const askedAt = new Date(clock.now());
    try {
      const response = await performed(perform, question);
      // What is said of another transaction tells nothing of this one.
      const status = namesAnother(response, reconcile.member, reference) ? "not-known" : readStatus(response);
      return { reference, status, askedAt };
    } catch {
      return { reference, status: "not-known", askedAt };
    } finally {
      timer.cancel();
    }
  };
}

/** Characters of a reference that can stand in a path as they are. */
const plainReference = /^[A-Za-z0-9._~-]{1,128}$/;

/** The reference in a request's JSON body; the body itself is never changed. */
function readReference(body: Buffer | undefined, member: string): string | undefined {
  const parsed = parseJson(body);
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const value: unknown = Reflect.get(parsed, member);
  return typeof value === "string" && plainReference.test(value) && !/^\.\.?$/.test(value)
    ? value
    : undefined;
}

function readStatus(response: Response): TransactionView["status"] {
  if (!Buffer.isBuffer(response.body)) {
    discard(response);
    return "not-known";
  }
  if (response.status !== 200) return "not-known";
  const parsed = parseJson(contentOf(response.headers, response.body));
  const data: unknown =
    typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "data") : undefined;
  const status: unknown = typeof data === "object" && data !== null ? Reflect.get(data, "status") : undefined;
  return status === "completed" || status === "failed" || status === "pending" ? status : "not-known";
}

const question: Operation = { name: "wallet.transaction", method: "GET", template: "", movesMoney: false };

function createQuestion(call: Call, target: string, now: number, lastAt: number): Call {
  return {
    requestId: call.requestId,
    operation: question,
    method: "GET",
    target,
    headers: ["accept", "application/json", "accept-encoding", "identity", "x-request-id", call.requestId],
    body: undefined,
    arrivedAt: now,
    deadlineAt: lastAt,
    reserve: (bytes) => call.reserve(bytes),
    cancelReason: undefined,
    waiting: undefined,
    requestWritten: false,
    attempts: 0,
    upstreamMs: 0,
    generation: undefined,
  };
}
