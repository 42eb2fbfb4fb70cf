import type { JsonObject } from "../../src/lib/json.ts";
import type { Caller } from "./money-kills-callers.ts";
import { linesAbout } from "./money-kills-record.ts";

/** How far a transaction's confirm had come when the sidecar was killed, as the record, Presto and the caller know it. */
export const steps = [
  "before its line",
  "line written, nothing sent",
  "sent, not executed",
  "executed, not answered",
  "answered, being asked about",
  "token refused, sent again",
  "told before",
] as const;

export type Step = (typeof steps)[number];

export interface StepFacts {
  /** `performance.now()`. */
  readonly killedAt: number;
  /** The record's whole lines; undefined where the sidecar kept none. */
  readonly lines: readonly JsonObject[] | undefined;
  /** Ids of the confirms that Presto has read. */
  readonly read: ReadonlySet<string>;
  readonly moved: number;
}

export function stepOf(caller: Caller, { killedAt, lines, read, moved }: StepFacts): Step {
  const attempt = caller.attempts.findLast(({ begunAt }) => begunAt <= killedAt);
  if (attempt === undefined) return "before its line";
  if (attempt.endedAt !== undefined && attempt.endedAt <= killedAt) return "told before";
  const about = lines === undefined ? [] : linesAbout(lines, caller.reference);
  const isRead = read.has(attempt.requestId);
  const own = about.filter((line) => line["request_id"] === attempt.requestId);
  const begun = own.filter(({ type }) => type === "call-begun").length;
  const ended = own.filter(({ type }) => type === "call-ended").length;
  if (lines !== undefined && begun === 0) return "before its line";
  if (begun > 1) return "token refused, sent again";
  if (begun > 0 && ended === begun) return "answered, being asked about";
  if (!isRead) return lines === undefined ? "before its line" : "line written, nothing sent";
  return moved > 0 ? "executed, not answered" : "sent, not executed";
}
