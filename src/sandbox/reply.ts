import type { FieldErrors } from "./request-body.ts";

declare global {
  // ECMAScript's JSON.rawJSON: in every Node that we support, in no TypeScript library yet.
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/** An answer, before it is written. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A JSON answer. */
export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

/** Presto's shape for every error: `{"message"}`. */
export function messageReply(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return jsonReply(status, { message }, headers);
}

/** `422` with the first message on top and all of them by field. */
export function invalidReply(errors: FieldErrors): Reply {
  const message = Object.values(errors).flat()[0] ?? "The given data was invalid.";
  return jsonReply(422, { message, errors });
}

/** What a gateway in front of an API says in its place. */
export function htmlReply(status: number, title: string): Reply {
  const body = `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

/** An amount as a JSON number with three decimals: 200000 thousandths are written `200.000`. */
export function amountJson(thousandths: number): unknown {
  return JSON.rawJSON(amountText(thousandths));
}

/** An amount as text with three decimals. */
export function amountText(thousandths: number): string {
  const digits = String(thousandths).padStart(4, "0");
  return `${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

/** ISO 8601 in whole seconds with an offset, as Presto writes times: `2026-05-25T00:00:00+00:00`. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}
