import type { JsonObject } from "../lib/json.ts";
import { keyOf } from "../upstream/references.ts";
import type { Entry } from "./line.ts";

// What the lines of the record hold, and which calls are open by them.

/** Who writes a chain: the sidecar its own, commands another beside it. */
export type Writer = "sidecar" | "command";

/** Why a file of the record was begun. */
export type FileReason =
  /** There was none. */
  | "first"
  /** The one before had reached its size. */
  | "size"
  /** The one before ends with an unfinished line, as a crash leaves it. */
  | "torn"
  /** The one before could not be written: what it holds behind the last durable line does not count. */
  | "failed"
  /** The one before was removed, renamed or changed by somebody else. */
  | "outside"
  /** The one before is not where it was, at a start. */
  | "moved";

/** The first line of each file: with it the newest file is enough to go on. */
export interface FileBegun {
  /** Id of the chain, the same in all its files. */
  readonly chain: string;
  readonly writer: Writer;
  /** Counts the chain's files, from 1. */
  readonly file: number;
  readonly reason: FileReason;
  /** Hashes of the lines that stand in the file before behind the last durable one, in their order: they do not count. */
  readonly givenUp: readonly string[];
  readonly open: readonly OpenCall[];
}

const schema = 1;

/** The line's own `seq` and `prev` name the last line of the file before; they are repeated for whoever reads it with the eyes. */
export function fileBegunEntry(
  begun: FileBegun,
  last: { readonly seq: number; readonly hash: string },
): Entry {
  const { chain, writer, file, reason, givenUp, open } = begun;
  return {
    type: "file",
    schema,
    chain,
    writer,
    file,
    reason,
    last_seq: last.seq,
    last_hash: last.hash,
    given_up: givenUp,
    open: open.map(openCallObject),
  };
}

/** @returns undefined where the line is not the first of a file */
export function readFileBegun(entry: Entry): FileBegun | undefined {
  const { type, chain, file, given_up: givenUp, open } = entry;
  if (type !== "file" || entry["schema"] !== schema) return undefined;
  if (typeof chain !== "string" || typeof file !== "number") return undefined;
  if (!Array.isArray(givenUp) || !Array.isArray(open)) return undefined;
  const reason = fileReasons.find((known) => known === entry["reason"]);
  const writer = writers.find((known) => known === entry["writer"]);
  if (reason === undefined || writer === undefined) return undefined;
  return {
    chain,
    writer,
    file,
    reason,
    givenUp: textsOf(givenUp),
    open: open.flatMap((each: unknown) => readOpenCall(each) ?? []),
  };
}

const fileReasons: readonly FileReason[] = ["first", "size", "torn", "failed", "outside", "moved"];
const writers: readonly Writer[] = ["sidecar", "command"];

/** A call that moves money, of which it is not known what became of it: it never ended, or its end was unclear. */
export interface OpenCall {
  /** Id of the call in the record. */
  readonly call: string;
  readonly requestId: string;
  readonly operation: string;
  /** As they came; none where the body could not be read. */
  readonly references: readonly string[];
  /** When its line was written, ISO 8601. */
  readonly begunAt: string;
  /** When it was given up; null where the process ended before it did. */
  readonly endedAt: string | null;
}

function openCallObject(open: OpenCall): JsonObject {
  const { call, requestId, operation, references, begunAt, endedAt } = open;
  return { call, request_id: requestId, operation, references, begun_at: begunAt, ended_at: endedAt };
}

function readOpenCall(value: unknown): OpenCall | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const text = (name: string): string => {
    const found: unknown = Reflect.get(value, name);
    return typeof found === "string" ? found : "";
  };
  if (text("call") === "") return undefined;
  return {
    call: text("call"),
    requestId: text("request_id"),
    operation: text("operation"),
    references: textsOf(Reflect.get(value, "references")),
    begunAt: text("begun_at"),
    endedAt: text("ended_at") === "" ? null : text("ended_at"),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

/** Longer than any reference of Presto's; of one that is not one, no more is kept. */
export const longestReference = 4_096;

/**
 * Is it the reference that stands in the line of a settled outcome? There one that is longer than any path
 * takes is told by its key; of one that was cut when it was taken down the key can't be made again.
 */
function isTold(reference: string, told: unknown): boolean {
  if (typeof told !== "string") return false;
  if (reference.length === longestReference && told.startsWith("sha256:")) return true;
  return reference === told || keyOf(reference) === told;
}

/** Calls without a reference can't be asked about, and nobody settles them: so many are remembered. */
const mostWithoutReference = 1_000;

/** Which calls are open by the lines so far: the writer keeps it as it writes, a start as it reads. */
export class OpenCalls {
  readonly #calls = new Map<string, OpenCall>();
  #withoutReference = 0;

  constructor(open: readonly OpenCall[] = []) {
    for (const call of open) this.add(call);
  }

  /** @param at the line's time, ISO 8601 */
  apply(entry: Entry, at: string): void {
    const { call } = entry;
    if (entry.type === "outcome-settled") this.#settle(entry);
    if (typeof call !== "string") return;
    switch (entry.type) {
      case "call-begun": {
        const begun = readOpenCall({ ...entry, begun_at: at });
        const before = this.#calls.get(call);
        // Sent again after a 401: whatever was thought of the sending before, nothing was done.
        if (before !== undefined) this.#calls.set(call, { ...before, endedAt: null });
        else if (begun !== undefined) this.add(begun);
        break;
      }
      case "call-ended": {
        const open = this.#calls.get(call);
        if (entry["open"] !== true) this.drop(call);
        else if (open !== undefined) this.#calls.set(call, { ...open, endedAt: at });
        break;
      }
      default:
    }
  }

  drop(call: string): void {
    const open = this.#calls.get(call);
    if (open === undefined) return;
    this.#calls.delete(call);
    if (open.references.length === 0) this.#withoutReference -= 1;
  }

  /** One of the references of a call, which stays open while it has others. Several calls may have one request id. */
  #settle({ request_id: requestId, operation, reference }: Entry): void {
    for (const open of this.#calls.values()) {
      if (open.requestId !== requestId || open.operation !== operation) continue;
      const { references } = open;
      const left = references.filter((each) => !isTold(each, reference));
      if (references.length === 0 ? reference === null : left.length === 0) this.drop(open.call);
      else if (left.length < references.length) this.#calls.set(open.call, { ...open, references: left });
    }
  }

  all(): OpenCall[] {
    return [...this.#calls.values()];
  }

  get size(): number {
    return this.#calls.size;
  }

  add(call: OpenCall): void {
    if (this.#calls.has(call.call)) return;
    this.#calls.set(call.call, call);
    if (call.references.length > 0) return;
    this.#withoutReference += 1;
    if (this.#withoutReference <= mostWithoutReference) return;
    for (const [id, { references }] of this.#calls) {
      if (references.length > 0) continue;
      this.drop(id);
      return;
    }
  }
}
