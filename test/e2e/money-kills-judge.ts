import type { JsonObject } from "../../src/lib/json.ts";
import type { Books, Caller } from "./money-kills-callers.ts";
import { settleMs } from "./money-kills-host.ts";
import { linesAbout } from "./money-kills-record.ts";

// What callers were told and what stands in the record, held against Presto's own books. Nothing may be under way.

export interface Evidence {
  readonly books: Books;
  /** Ids of the confirms that Presto has read. */
  readonly read: ReadonlySet<string>;
  /** Ids that more than one transaction's confirms had. */
  readonly sharedIds: ReadonlySet<string>;
  /** The lines of each sidecar's record. */
  readonly records: readonly (readonly JsonObject[])[];
}

/** @param promised its money may have moved once at most */
export function judgeCaller(caller: Caller, promised: boolean, evidence: Evidence): readonly string[] {
  const { reference, attempts, plan } = caller;
  const moved = evidence.books.moved(reference);
  const found = [...caller.lies];
  if (promised && moved > 1) found.push(`the money moved ${moved} times`);
  for (const { told, requestId } of attempts) {
    const wasKeptBack = told?.kind === "not-sent" || told?.kind === "duplicate" || told?.kind === "nobody";
    if (wasKeptBack && evidence.read.has(requestId) && !evidence.sharedIds.has(requestId))
      found.push(`${requestId} was told ${told.kind} (${told.status}), and Presto has read it`);
  }
  const mayHaveMoved = attempts.some(
    ({ told }) => told === undefined || ["completed", "unclear", "nothing"].includes(told.kind),
  );
  if (moved > 0 && !mayHaveMoved)
    found.push("all its confirms were told that nothing was done, and the money moved");
  found.push(...judgeEnds(caller, evidence));
  const story = attempts.map(({ told }) => `${told?.kind ?? "under way"} ${told?.status ?? ""}`.trim());
  const record = evidence.records.flatMap((lines) => linesAbout(lines, reference).map(inWords));
  const who = `${reference} (run ${plan.number}, ${plan.caller}, ${plan.fault.name}, questions ${plan.question.name}; ${story.join(", ")}; record: ${record.join(", ")})`;
  return found.map((problem) => `${who}: ${problem}`);
}

function inWords(line: JsonObject): string {
  const { type, at, status, verdict, open, outcome } = line;
  const facts = [outcome, status, verdict, open === true ? "open" : undefined].filter(
    (fact) => fact !== undefined,
  );
  return [String(at).slice(14, 23), type, ...facts].join(" ");
}

/** The ends that were found out, by the record. */
function judgeEnds({ reference, plan, attempts }: Caller, { records, books }: Evidence): readonly string[] {
  const found: string[] = [];
  for (const { settled, givenUpAt } of endsOf(records, reference)) {
    const begunLater = attempts.some(({ begunAt }) => performance.timeOrigin + begunAt > timeOf(settled));
    const status = String(settled["status"]);
    if (isForEver(plan.question))
      found.push(`was settled as ${status}, and Presto has never said what became of it`);
    if (status === "completed" && books.moved(reference) === 0)
      found.push("was settled as completed, and nothing has moved");
    if (status !== "failed") continue;
    if (!begunLater && books.moved(reference) > 0)
      found.push("was settled as failed, and the money has moved");
    const waitedMs = timeOf(settled) - givenUpAt;
    // Two clocks are read, in whole milliseconds.
    if (waitedMs < settleMs - 20) found.push(`was settled as failed ${waitedMs} ms after it was given up`);
  }
  return found;
}

/** An end that was found out. */
export interface FoundEnd {
  readonly settled: JsonObject;
  /** When the process that found it out had given it up: at the end of its call, or when it was started. */
  readonly givenUpAt: number;
}

export function endsOf(records: readonly (readonly JsonObject[])[], reference: string): readonly FoundEnd[] {
  return records.flatMap((lines) =>
    linesAbout(lines, reference)
      .filter(({ type }) => type === "outcome-settled")
      .map((settled) => {
        const before = lines.slice(0, lines.indexOf(settled));
        const ended = before.findLast(
          ({ type, request_id: id }) => type === "call-ended" && id === settled["request_id"],
        );
        const started = before.findLast(({ type }) => type === "start");
        return { settled, givenUpAt: Math.max(timeOf(ended), timeOf(started)) };
      }),
  );
}

/** Was it known to be completed, and sent again by a sidecar that was started since? Completed ones are forgotten then. */
export function wasForgotten(lines: readonly JsonObject[], reference: string): boolean {
  const about = new Set(linesAbout(lines, reference));
  let isKnown = false;
  let isForgotten = false;
  for (const line of lines) {
    if (line["type"] === "start") isForgotten ||= isKnown;
    if (!about.has(line)) continue;
    if (line["status"] === "completed" || line["verdict"] === "completed") isKnown = true;
    if (line["type"] === "call-begun" && isForgotten) return true;
  }
  return false;
}

/** Does Presto never say what became of it? */
export function isForEver({ effect, times }: Caller["plan"]["question"]): boolean {
  return effect !== undefined && times === undefined;
}

function timeOf(line: JsonObject | undefined): number {
  return line === undefined ? Number.NEGATIVE_INFINITY : Date.parse(String(line["at"]));
}
