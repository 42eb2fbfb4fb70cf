import type { FastifyInstance } from "fastify";

import type { OutcomeSettled } from "../money/events.ts";
import type { OpenOutcome, Outcomes } from "../money/outcomes.ts";
import { refuse } from "./server.ts";

/** What `GET /outcomes` says, in the names that it has there. Times are ISO 8601. Null: there is none. */
interface OutcomesReport {
  /** Calls that move money whose end is not known, the oldest first. */
  readonly open: readonly OpenOutcomeReport[];
  /** Those whose end was found out last, the newest first. */
  readonly recent: readonly RecentOutcomeReport[];
}

interface OpenOutcomeReport {
  /** Null: the call named no transaction that could be read. */
  readonly reference: string | null;
  readonly operation: string;
  readonly request_id: string;
  /** When its call ended. */
  readonly since: string;
  readonly age_seconds: number;
  /** What Presto said last: `failed`, `pending` or `not-known`. */
  readonly status: string;
  /** When that was asked. */
  readonly asked_at: string | null;
  readonly next_question_seconds: number | null;
  /** Why Presto can't be asked: `no-ask`, `no-reference` or `not-plain`. */
  readonly unaskable: string | null;
  /** `PRESTO_SETTLE_OUTCOMES` has passed: nobody asks any more. */
  readonly given_up: boolean;
}

interface RecentOutcomeReport {
  readonly reference: string | null;
  readonly operation: string;
  readonly request_id: string;
  readonly status: "completed" | "failed";
  /** Who said so. */
  readonly by: "presto" | "person";
  readonly settled_at: string;
  /** From the end of the call. */
  readonly after_seconds: number;
  /** It was held to have ended otherwise before. */
  readonly contradicts: boolean;
}

function outcomesReport(outcomes: Pick<Outcomes, "open" | "recent">): OutcomesReport {
  return { open: outcomes.open().map(openReport), recent: outcomes.recent().map(recentReport) };
}

function openReport(one: OpenOutcome): OpenOutcomeReport {
  return {
    reference: one.reference ?? null,
    operation: one.operation,
    request_id: one.requestId,
    since: one.since.toISOString(),
    age_seconds: Math.floor(one.ageMs / 1000),
    status: one.heard ?? "not-known",
    asked_at: one.askedAt?.toISOString() ?? null,
    next_question_seconds: one.nextInMs === undefined ? null : Math.ceil(one.nextInMs / 1000),
    unaskable: one.unaskable ?? null,
    given_up: one.stopped,
  };
}

function recentReport(one: OutcomeSettled): RecentOutcomeReport {
  return {
    reference: one.reference ?? null,
    operation: one.operation,
    request_id: one.requestId,
    status: one.status,
    by: one.by,
    settled_at: new Date(one.at).toISOString(),
    after_seconds: Math.floor(one.ms / 1000),
    contradicts: one.contradicts,
  };
}

/** Adds the list, and the verb by which a person says what became of one. They name transactions: only who may act sees them. */
export function addOutcomeRoutes(app: FastifyInstance, outcomes: Outcomes): void {
  app.get("/outcomes", (_request, reply) => reply.send(outcomesReport(outcomes)));
  app.post("/outcomes/resolve", (request, reply) => {
    const reading = readResolve(request.url);
    if (reading === undefined) {
      return refuse(
        reply,
        400,
        "bad-request",
        "POST /outcomes/resolve takes reference=REFERENCE and as=completed or as=failed, each once, and nothing else.",
      );
    }
    switch (outcomes.resolve(reading.reference, reading.as)) {
      case "resolved":
        return reply.send({ reference: reading.reference, status: reading.as });
      case "in-flight":
        return refuse(reply, 409, "in-flight", "A call for this transaction is under way; wait for its end.");
      case "not-known":
        return refuse(
          reply,
          404,
          "not-known",
          "No call for this transaction has an open end here; GET /outcomes lists those that have.",
        );
    }
  });
}

/** Read strictly: `failed` lets a transaction be sent again, so nothing here is guessed at. */
function readResolve(
  target: string,
): { readonly reference: string; readonly as: "completed" | "failed" } | undefined {
  const start = target.indexOf("?");
  const parameters = new URLSearchParams(start < 0 ? "" : target.slice(start + 1));
  const reference = parameters.get("reference") ?? "";
  const as = parameters.get("as");
  if (parameters.size !== 2 || reference === "" || (as !== "completed" && as !== "failed")) return undefined;
  return { reference, as };
}
