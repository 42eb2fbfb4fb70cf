import type { IncomingMessage } from "node:http";

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

/** The body; `cut` if the connection ended before it did. One of more than `most` bytes is read to its end, and dropped. */
export async function readBytes(
  request: IncomingMessage,
  most: number,
): Promise<Buffer | "cut" | "too-large"> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue;
      length += chunk.length;
      if (length > most) chunks.length = 0;
      else chunks.push(chunk);
    }
  } catch {
    return "cut";
  }
  return length > most ? "too-large" : Buffer.concat(chunks);
}

/** Messages by field, as Laravel's validator gives them beside the first one. */
export type FieldErrors = Readonly<Record<string, readonly string[]>>;

/** What was given can't be taken. The message is all that is wrong with it. */
export class InvalidFieldsError extends RangeError {
  override readonly name = "InvalidFieldsError";
  readonly errors: FieldErrors;

  constructor(errors: FieldErrors) {
    super(Object.values(errors).flat().join(" "));
    this.errors = errors;
  }
}

/** An object of JSON under examination: values are taken out of it, and what is wrong with them is kept. */
export interface RequestBody {
  readonly values: JsonObject;
  /** The text of a required field; empty where it is missing or not text, which is then an error. */
  text(field: string): string;
  /** Any value of a required field; undefined, and an error, where it is missing or null. */
  value(field: string): unknown;
  /** The fields inside a required object; an empty one, and an error, where it isn't one. */
  object(field: string): RequestBody;
  /** Keeps an error, unless the field already has one: a missing value is not also a malformed one. */
  refuse(field: string, message: string): void;
  /** Throws an {@link InvalidFieldsError} with everything that was refused so far, if anything was. */
  check(): void;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Is it an object with fields, not null and not an array? */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of a JSON text; undefined for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads a request body. A body that is not a JSON object is read as an empty one, with an
 * error that says so: Presto has no `400`, and bad input is `422`.
 */
export function parseBody(contentType: string | undefined, bytes: Buffer): RequestBody {
  const isJson = /^application\/json\s*(;|$)/i.test(contentType ?? "");
  const value = isJson ? parseJson(bytes.toString("utf8")) : undefined;
  const body = createBody(isObject(value) ? value : {});
  if (!isJson) body.refuse("body", "The request must have the content type application/json.");
  else if (!isObject(value)) body.refuse("body", "The request body must be a JSON object.");
  return body;
}

/** A body of the given values; errors are added to `errors`, under the field's name after `prefix`. */
export function createBody(
  values: JsonObject,
  errors: Record<string, string[]> = {},
  prefix = "",
): RequestBody {
  const refuse = (field: string, message: string): void => {
    errors[prefix + field] ??= [message];
  };
  const refuseAs = (field: string, what: string): void =>
    refuse(field, `The ${(prefix + field).replaceAll("_", " ")} field ${what}.`);
  const value = (field: string): unknown => {
    const found = Object.hasOwn(values, field) ? values[field] : undefined;
    if (found !== undefined && found !== null && found !== "") return found;
    refuseAs(field, "is required");
    return undefined;
  };
  return {
    values,
    value,
    text(field) {
      const found = value(field);
      if (typeof found === "string") return found;
      refuseAs(field, "must be a string");
      return "";
    },
    object(field) {
      const found = value(field);
      if (isObject(found)) return createBody(found, errors, `${prefix}${field}.`);
      refuseAs(field, "must be an object");
      // Its fields are then missing because of it: their errors would say nothing new.
      return createBody({});
    },
    refuse,
    check() {
      if (Object.keys(errors).length > 0) throw new InvalidFieldsError(errors);
    },
  };
}

/** What a field of the control endpoint may hold. */
export interface Shape<Value> {
  /** In words, after "must be": of all that is refused, or of this value. */
  readonly what: string | ((value: unknown) => string);
  /** Undefined if the value is refused. */
  readonly read: (value: unknown) => Value | undefined;
  /** Stands for what was refused, and is never used. */
  readonly unless: Value;
}

/** Takes a field that must be there. */
export function required<Value>(body: RequestBody, field: string, shape: Shape<Value>): Value {
  const value = body.values[field];
  const found = shape.read(value);
  if (found !== undefined) return found;
  const what = typeof shape.what === "string" ? shape.what : shape.what(value);
  body.refuse(field, `${field} must be ${what}.`);
  return shape.unless;
}

/** Takes a field that may be absent: an object with it, or an empty one. */
export function optional<Field extends string, Value>(
  body: RequestBody,
  field: Field,
  shape: Shape<Value>,
): Partial<Record<Field, Value>> {
  const found: Partial<Record<Field, Value>> = {};
  if (body.values[field] !== undefined) found[field] = required(body, field, shape);
  return found;
}

/** Takes a field that may be absent, and where null says that there is to be none. */
export function optionalOrNull<Field extends string, Value>(
  body: RequestBody,
  field: Field,
  shape: Shape<Value>,
): Partial<Record<Field, Value | undefined>> {
  const none: Partial<Record<Field, Value | undefined>> = {};
  if (body.values[field] !== null) return optional(body, field, shape);
  none[field] = undefined;
  return none;
}

export const flag: Shape<boolean> = {
  what: "true or false",
  read: (value) => (typeof value === "boolean" ? value : undefined),
  unless: false,
};

export function integer(least: number, most = Number.MAX_SAFE_INTEGER): Shape<number> {
  return {
    what: `a whole number from ${least} ${most === Number.MAX_SAFE_INTEGER ? "on" : `to ${most}`}`,
    read: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
        ? value
        : undefined,
    unless: least,
  };
}

export function text(what = "text", form = /^/): Shape<string> {
  return {
    what,
    read: (value) => (typeof value === "string" && form.test(value) ? value : undefined),
    unless: "",
  };
}

export function oneOf<Value extends string>(
  values: readonly [Value, ...Value[]],
  what = `one of ${values.join(", ")}`,
): Shape<Value> {
  return { what, read: (value) => values.find((known) => known === value), unless: values[0] };
}
