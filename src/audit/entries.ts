import type { JsonObject } from "../lib/json.ts";
import { keyOf } from "../upstream/references.ts";
import type { Entry } from "./line.ts";

// What the lines of the record hold, which calls are open by them, and whose money has moved.

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
  /** The newest of those whose money has moved, the oldest first. */
  readonly completed: readonly CompletedReference[];
}

const schema = 1;

/** The line's own `seq` and `prev` name the last line of the file before; they are repeated for whoever reads it with the eyes. */
export function fileBegunEntry(
  begun: FileBegun,
  last: { readonly seq: number; readonly hash: string },
): Entry {
  const { chain, writer, file, reason, givenUp, open, completed } = begun;
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
    completed: completed.map(({ operation, reference, at }) => ({ operation, reference, at })),
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
    completed: listOf(entry["completed"]).flatMap((each) => readCompleted(each) ?? []),
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

/** A transaction whose money has moved. */
export interface CompletedReference {
  readonly operation: string;
  /** As it came. */
  readonly reference: string;
  /** When that was taken down, ISO 8601. */
  readonly at: string;
}

function readCompleted(value: unknown): CompletedReference | undefined {
  const [operation, reference, at] = ["operation", "reference", "at"].map((name) => textAt(value, name));
  if (operation === undefined || reference === undefined || at === undefined) return undefined;
  return { operation, reference, at };
}

function openCallObject(open: OpenCall): JsonObject {
  const { call, requestId, operation, references, begunAt, endedAt } = open;
  return { call, request_id: requestId, operation, references, begun_at: begunAt, ended_at: endedAt };
}

function readOpenCall(value: unknown): OpenCall | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const text = (name: string): string => textAt(value, name) ?? "";
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

/** A call that is open from its line on. */
function begunCall(
  call: string,
  { request_id: requestId, operation, references }: Entry,
  at: string,
): OpenCall {
  return {
    call,
    requestId: typeof requestId === "string" ? requestId : "",
    operation: typeof operation === "string" ? operation : "",
    references: textsOf(references),
    begunAt: at,
    endedAt: null,
  };
}

function textAt(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = Reflect.get(value, name);
  return typeof found === "string" ? found : undefined;
}

function textsOf(value: unknown): string[] {
  return listOf(value).filter((each): each is string => typeof each === "string");
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
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

/**
 * So many of those whose money has moved stand at the beginning of a file: a caller that a crash has cut off
 * from its answer, and that asks again, did so among the last ones.
 */
const mostCarried = 1_000;

/**
 * Which calls are open by the lines so far, and whose money has moved: the writer keeps it as it writes,
 * a start as it reads.
 */
export class OpenCalls {
  readonly #calls = new Map<string, OpenCall>();
  #withoutReference = 0;
  readonly #mostCompleted: number;
  #completed: CompletedReference[] = [];

  /** @param mostCompleted so many of those whose money has moved are remembered, the newest */
  constructor(mostCompleted: number = mostCarried) {
    this.#mostCompleted = mostCompleted;
  }

  /** @param at the line's time, ISO 8601 */
  apply(entry: Entry, at: string): void {
    const { call } = entry;
    if (entry.type === "outcome-settled") this.#settle(entry, at);
    if (typeof call !== "string" || call === "") return;
    switch (entry.type) {
      case "call-begun": {
        const before = this.#calls.get(call);
        // Sent again after a 401: whatever was thought of the sending before, nothing was done.
        if (before !== undefined) this.#calls.set(call, { ...before, endedAt: null });
        else this.add(begunCall(call, entry, at));
        break;
      }
      case "call-ended": {
        this.#end(call, entry, at);
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

  /** Of a call that names several transactions a success may be about some of them: it stays open with the others. */
  #end(call: string, entry: Entry, at: string): void {
    const open = this.#calls.get(call);
    const isOpen = entry["open"] === true;
    if (open !== undefined && entry["verdict"] === "completed") {
      const left = isOpen ? textsOf(entry["open_references"]) : [];
      for (const reference of open.references)
        if (!left.includes(reference)) this.addCompleted({ operation: open.operation, reference, at });
      if (isOpen) this.#calls.set(call, { ...open, references: left, endedAt: at });
    } else if (open !== undefined && isOpen) this.#calls.set(call, { ...open, endedAt: at });
    if (!isOpen) this.drop(call);
  }

  addCompleted(completed: CompletedReference): void {
    this.#completed.push(completed);
    if (this.#completed.length >= 2 * this.#mostCompleted)
      this.#completed = this.#completed.slice(-this.#mostCompleted);
  }

  /** The newest, the oldest of them first. */
  completed(): readonly CompletedReference[] {
    return this.#completed.slice(-this.#mostCompleted);
  }

  /** One of the references of a call, which stays open while it has others. Several calls may have one request id. */
  #settle({ request_id: requestId, operation, reference, status }: Entry, at: string): void {
    if (typeof reference === "string" && typeof operation === "string") {
      if (status === "completed") this.addCompleted({ operation, reference, at });
      else this.#forgetCompleted(operation, reference);
    }
    for (const open of this.#calls.values()) {
      if (open.requestId !== requestId || open.operation !== operation) continue;
      const { references } = open;
      const left = references.filter((each) => !isTold(each, reference));
      if (references.length === 0 ? reference === null : left.length === 0) this.drop(open.call);
      else if (left.length < references.length) this.#calls.set(open.call, { ...open, references: left });
    }
  }

  /** A person has said that nothing moved after all. */
  #forgetCompleted(operation: string, reference: string): void {
    const key = keyOf(reference);
    this.#completed = this.#completed.filter(
      (one) => one.operation !== operation || keyOf(one.reference) !== key,
    );
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
