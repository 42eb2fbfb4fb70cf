import { isObject } from "../lib/json.ts";
import { isJson, mediaTypeOf } from "../upstream/call.ts";
import { parseJson } from "../upstream/content.ts";
import type { OwnResponse } from "../upstream/request-once.ts";

/** A JSON object with whatever is in it; only its own members count. */
export type Members = ReadonlyMap<string, unknown>;

/** The JSON object that a body consists of, whatever type it claims to be; undefined if it is none. Of a member given twice the last counts. */
export function parseMembers(body: Buffer): Members | undefined {
  return toMembers(parseJson(body));
}

/** An object's members, or undefined for everything else, arrays included. */
export function toMembers(value: unknown): Members | undefined {
  return isObject(value) ? new Map(Object.entries(value)) : undefined;
}

/** The JSON object of an answer of the API's own: one that says it is JSON, or says nothing and is. A page of a gateway is none. */
export function readJson(response: OwnResponse): Members | undefined {
  return mediaTypeOf(response) !== "" && !isJson(response) ? undefined : parseMembers(response.body);
}

/** Is it the shape that every error of Presto's has? */
export function isErrorShape(object: Members | undefined): object is Members {
  return typeof object?.get("message") === "string";
}

const isoTime =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?:[Zz]|([+-])(\d\d):?(\d\d)?))?$/;

/**
 * A time of Presto's: ISO 8601 with an offset, in whole seconds, or a plain date, which is
 * 00:00 UTC of that day. Undefined for anything else, days that don't exist included:
 * `Date.parse` would make 2 March of 30 February, and a local time of one without an offset.
 */
export function readTime(value: unknown): Date | undefined {
  const found = typeof value === "string" ? isoTime.exec(value) : null;
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, sign, offsetHours, offsetMinutes] = found;
  const parts = [year, month, day, hour, minute, second].map((part) => Number(part ?? 0));
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = parts;
  const local = new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  const exists =
    y >= 1970 &&
    local.getUTCMonth() === mo - 1 &&
    local.getUTCDate() === d &&
    local.getUTCHours() === h &&
    local.getUTCMinutes() === mi;
  const [oh, om] = [Number(offsetHours ?? 0), Number(offsetMinutes ?? 0)];
  if (!exists || s > 59 || oh > 23 || om > 59) return undefined;
  const time = new Date(local.getTime() - (sign === "-" ? -1 : 1) * (oh * 60 + om) * 60_000);
  // Beyond it a date has a form of its own, which no store would read back.
  return time.getUTCFullYear() <= 9999 ? time : undefined;
}
