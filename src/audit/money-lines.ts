import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { MoneyRecord, Sending, SendingEnd } from "../money/record.ts";
import type { Call } from "../upstream/call.ts";
import type { Reference } from "../upstream/references.ts";
import { longestReference } from "./entries.ts";
import type { Entry } from "./line.ts";
import type { AuditRecord, AwaitedLine, ThisPod } from "./types.ts";

/** What was taken down of a sending. */
interface Taken {
  readonly id: string;
  readonly begunAt: number;
  /** `recorded`: it may be sent. */
  state: "waiting" | "recorded";
  line: AwaitedLine | undefined;
}

/** The record as calls that move money see it: two lines for each sending. */
export function createMoneyRecord(
  record: AuditRecord,
  { pod, clock }: { readonly pod: ThisPod; readonly clock: Pick<Clock, "monotonic"> },
): MoneyRecord {
  const taken = new Map<Sending, Taken>();
  /** Of calls that were sent once: all sendings of a call have the same. */
  const ids = new WeakMap<Call, string>();

  return {
    refusal() {
      const cause = record.refusal();
      return cause === undefined ? undefined : unavailable(cause);
    },
    begin(sending) {
      const id = ids.get(sending.call) ?? randomUUID();
      ids.set(sending.call, id);
      return new Promise((resolve, reject) => {
        const known: Taken = { id, begunAt: clock.monotonic(), state: "waiting", line: undefined };
        taken.set(sending, known);
        known.line = record.announce(begunEntry(id, sending, pod), notSentEntry(id, sending), (error) => {
          if (error === undefined) {
            known.state = "recorded";
            resolve();
          } else {
            taken.delete(sending);
            reject(unavailable(error));
          }
        });
      });
    },
    end(sending, end) {
      const known = taken.get(sending);
      if (known === undefined) return;
      taken.delete(sending);
      if (known.state === "recorded")
        record.note(endedEntry(known, sending, end, clock.monotonic() - known.begunAt));
      // Its time was over before that: nothing was sent.
      else known.line?.abandon();
    },
    settled({ operation, reference, requestId, status, by }) {
      record.note({
        type: "outcome-settled",
        operation,
        reference: reference?.slice(0, longestReference) ?? null,
        request_id: requestId,
        status,
        by,
      });
    },
  };
}

function asRecorded({ text }: Pick<Reference, "text">): string {
  return text.slice(0, longestReference);
}

function unavailable(cause: Error): Problem {
  return new Problem("audit-unavailable", {
    detail: `${cause.message}; nothing was sent`,
    retryAfter: 1,
    cause,
  });
}

function begunEntry(id: string, { call, number, generation }: Sending, pod: ThisPod): Entry {
  const { references = [], unread } = call.money ?? {};
  return {
    type: "call-begun",
    call: id,
    request_id: call.requestId,
    attempt: number,
    operation: call.operation.name,
    references: references.map(asRecorded),
    // Nothing guards it against a second sending.
    unguarded: unread,
    generation,
    peer: call.peer,
    pod: pod.name,
    namespace: pod.namespace,
    trace_id: call.traceId,
  };
}

function notSentEntry(id: string, { call, number }: Sending): Entry {
  return {
    type: "call-ended",
    call: id,
    request_id: call.requestId,
    attempt: number,
    operation: call.operation.name,
    references: call.money?.references.map(asRecorded) ?? [],
    outcome: "not-sent",
    code: "audit-unavailable",
    open: false,
  };
}

function endedEntry(
  { id }: Taken,
  { call, number, generation }: Sending,
  end: SendingEnd,
  ms: number,
): Entry {
  const ended = {
    type: "call-ended",
    call: id,
    request_id: call.requestId,
    attempt: number,
    operation: call.operation.name,
    attempts: call.attempts,
    generation,
    ms: Math.round(ms * 100) / 100,
  };
  if (end.kind === "answered") {
    const { status, verdict, left = [] } = end;
    const answered = { ...ended, outcome: "answered", status, verdict };
    if (left.length === 0) return { ...answered, open: verdict === "unclear" };
    return { ...answered, open: true, open_references: left.map(asRecorded) };
  }
  const code = end.error instanceof Problem ? end.error.code : "caller-gone";
  return { ...ended, outcome: end.kind, code, open: end.kind === "unknown" };
}
