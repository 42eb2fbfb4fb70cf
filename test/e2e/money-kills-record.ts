import { readFileSync } from "node:fs";

import { encodeLine, hashOf } from "../../src/audit/line.ts";
import { type JsonObject, parseObject } from "../../src/lib/json.ts";

// What the lines of a record say, read here by hand: the program's own reading is what is on trial.

/** The whole lines of files, in the order of the chain. What is no line is left out: to find it is up to `audit verify`. */
export function linesIn(files: readonly string[]): readonly JsonObject[] {
  return files
    .flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, -1))
    .map(parseObject)
    .filter((line) => line !== undefined)
    .toSorted((one, other) => Number(one["seq"]) - Number(other["seq"]));
}

/**
 * What a kill in the middle of a write leaves behind a text of whole lines: a part of the next one, of a call that
 * was not sent. Empty where there is no line, or the last one is unfinished already.
 * @param part from 0 to 1
 */
export function tornBehind(text: string, part: number): string {
  const last = text.split("\n").at(-2);
  if (last === undefined || !text.endsWith("\n")) return "";
  const head = { seq: Number(parseObject(last)?.["seq"]), hash: hashOf(last) };
  const { text: next } = encodeLine(head, new Date(), {
    type: "call-begun",
    call: "torn",
    request_id: "torn",
    attempt: 1,
    operation: "wallet.confirm",
    references: ["TRX000000002"],
  });
  // Never its end, which would make it whole.
  return next.slice(0, 1 + Math.floor((next.length - 2) * part));
}

/** A call of which the lines tell no end. */
export interface OpenByLines {
  readonly references: readonly string[];
  /** It has ended, and that was unclear. */
  readonly ended: boolean;
}

/** Calls that may have moved money, and of which no line says what became of it; by the id that they have in the record. */
export function openByLines(lines: readonly JsonObject[]): ReadonlyMap<string, OpenByLines> {
  const open = new Map<string, OpenByLines>();
  for (const line of lines) {
    const call = String(line["call"]);
    switch (line["type"]) {
      case "call-begun":
        open.set(call, { references: textsOf(line["references"]), ended: false });
        break;
      case "call-ended": {
        const begun = open.get(call);
        if (line["open"] !== true) open.delete(call);
        else if (begun !== undefined) open.set(call, { ...begun, ended: true });
        break;
      }
      case "outcome-settled":
        for (const [id, { references }] of open) {
          if (!references.includes(String(line["reference"]))) continue;
          // No call of the proof names two.
          open.delete(id);
        }
        break;
      default:
    }
  }
  return open;
}

export function openReferences(lines: readonly JsonObject[]): ReadonlySet<string> {
  return new Set([...openByLines(lines).values()].flatMap(({ references }) => references));
}

/** The lines about one transaction, in their order. */
export function linesAbout(lines: readonly JsonObject[], reference: string): readonly JsonObject[] {
  const calls = new Set<unknown>();
  return lines.filter((line) => {
    if (line["type"] === "call-begun" && textsOf(line["references"]).includes(reference))
      calls.add(line["call"]);
    return line["reference"] === reference || (line["call"] !== undefined && calls.has(line["call"]));
  });
}

/** What the lines about a transaction say of its money: `open` where they tell no end. */
export function saidOf(lines: readonly JsonObject[], reference: string): "completed" | "not-moved" | "open" {
  const about = linesAbout(lines, reference);
  const isCompleted = about.some(({ verdict, status }) => verdict === "completed" || status === "completed");
  if (isCompleted) return "completed";
  return openReferences(about).has(reference) ? "open" : "not-moved";
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
