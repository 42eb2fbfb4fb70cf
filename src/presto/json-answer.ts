import { fieldOf, isJson } from "../upstream/call.ts";
import type { WholeAnswer } from "../upstream/request-once.ts";

/** A JSON object with whatever is in it; only its own members count. */
export type JsonObject = ReadonlyMap<string, unknown>;

// Drops a byte order mark, which JSON.parse would stumble over, and whatever charset a header names: JSON is UTF-8 (RFC 8259 section 8.1).
const utf8 = new TextDecoder("utf-8");

/** The JSON object that a body consists of, whatever type it claims to be; undefined if it is none. Of a member given twice the last counts. */
export function parseObject(body: Buffer): JsonObject | undefined {
  try {
    return toObject(JSON.parse(utf8.decode(body)));
  } catch {
    // The parser's own error quotes the text, which may hold a token: it goes no further.
    return undefined;
  }
}

/** An object's members, or undefined for everything else, arrays included. */
export function toObject(value: unknown): JsonObject | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value));
}

/** The JSON object of an answer of the API's own: one that says it is JSON, or says nothing and is. A page of a gateway is none. */
export function readJson(answer: WholeAnswer): JsonObject | undefined {
  const typed = (fieldOf(answer, "content-type") ?? "").trim() !== "";
  return typed && !isJson(answer) ? undefined : parseObject(answer.body);
}

/** Is it the shape that every error of Presto's has? */
export function isErrorShape(object: JsonObject | undefined): object is JsonObject {
  return typeof object?.get("message") === "string";
}
