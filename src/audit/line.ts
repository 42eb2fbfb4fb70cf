import { hash } from "node:crypto";

import { isObject, type JsonObject, parseObject } from "../lib/json.ts";

// A line of the record, and what ties it to the one before. Pure: who writes, and where, is decided elsewhere.

/** The end of a chain at one moment: number and hash of its last line. Whoever keeps it elsewhere can prove what came before. */
export interface Head {
  readonly seq: number;
  /** SHA-256 of the line without its line end, in hexadecimal. */
  readonly hash: string;
}

/** What stands before a chain's first line. */
export const beforeFirst: Head = { seq: 0, hash: "0".repeat(64) };

export function isSameHead(one: Head, other: Head): boolean {
  return one.seq === other.seq && one.hash === other.hash;
}

/** `SEQ:HASH`, as it leaves the machine. */
export function formatHead({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}

/** @returns undefined for what `formatHead` has not made */
export function parseHead(text: string): Head | undefined {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}

/** What a line tells, beside its place in the chain. Names as they stand in the file; never a body, a token or an e-mail. */
export type Entry = JsonObject & { readonly type: string };

export interface EncodedLine {
  /** With its line end. */
  readonly text: string;
  /** Of the chain that ends with it. */
  readonly head: Head;
}

/** The line that follows `before`. */
export function encodeLine(before: Head, at: Date, entry: Entry): EncodedLine {
  const seq = before.seq + 1;
  const line = JSON.stringify({ seq, prev: before.hash, at: at.toISOString(), ...entry });
  return { text: `${line}\n`, head: { seq, hash: hashOf(line) } };
}

export function hashOf(line: Uint8Array | string): string {
  return hash("sha256", line, "hex");
}

/** A line as it was found. */
export interface FoundLine {
  readonly head: Head;
  readonly prev: string;
  readonly entry: Entry;
}

/** @returns undefined for bytes that are no line of a record: whoever wrote them was not this program, or they were altered */
export function readLine(bytes: Buffer): FoundLine | undefined {
  const entry = parseObject(bytes.toString("utf8"));
  if (!isEntry(entry)) return undefined;
  const { seq, prev, at } = entry;
  const isPlace = typeof seq === "number" && Number.isSafeInteger(seq) && seq > 0 && typeof prev === "string";
  if (!isPlace || typeof at !== "string") return undefined;
  return { head: { seq, hash: hashOf(bytes) }, prev, entry };
}

function isEntry(value: JsonObject | undefined): value is Entry {
  return isObject(value) && typeof value["type"] === "string";
}

/** Takes bytes as they are read, and gives out whole lines, without their ends. What is left at the end is an unfinished one. */
export interface LineSplitter {
  push(chunk: Buffer): Buffer[];
  /** Bytes behind the last line end. */
  rest(): Buffer;
}

const lineEnd = 0x0a;

export function createLineSplitter(): LineSplitter {
  /** Pieces of a line that is not whole yet: joined once, or a long one would be copied for each piece. */
  let pieces: Buffer[] = [];
  return {
    push(chunk) {
      const lines: Buffer[] = [];
      let from = 0;
      for (;;) {
        const to = chunk.indexOf(lineEnd, from);
        if (to < 0) break;
        pieces.push(chunk.subarray(from, to));
        lines.push(pieces.length === 1 ? (pieces[0] ?? chunk) : Buffer.concat(pieces));
        pieces = [];
        from = to + 1;
      }
      if (from < chunk.length) pieces.push(chunk.subarray(from));
      return lines;
    },
    rest: () => Buffer.concat(pieces),
  };
}
