/** A JSON body under examination: values are taken out of it, and what is wrong with them is kept. */
export interface Form {
  /** The text of a required field; empty where it is missing or not text, which is then an error. */
  text(field: string): string;
  /** Any value of a required field; undefined, and an error, where it is missing or null. */
  value(field: string): unknown;
  /** The fields inside a required object; an empty form, and an error, where it isn't one. */
  object(field: string): Form;
  /** Adds an error, unless the field already has one: a missing value is not also a malformed one. */
  refuse(field: string, message: string): void;
  /** All errors so far by field, or undefined if there is none. */
  errors(): FieldErrors | undefined;
}

/**
 * Reads a request body. A body that is not a JSON object is read as an empty one, with an
 * error that says so: Presto has no `400`, and bad input is `422`.
 */
export function readForm(contentType: string | undefined, body: Buffer): Form {
  const errors: Record<string, string[]> = {};
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? "")) {
    errors["body"] = ["The request must have the content type application/json."];
    return createForm({}, errors);
  }
  const value = parseJson(body);
  if (!isRecord(value)) errors["body"] = ["The request body must be a JSON object."];
  return createForm(isRecord(value) ? value : {}, errors);
}

/** Is it an object with fields, not null and not an array? */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** A form of the given values; errors are added to `errors`, under the field's name after `prefix`. */
export function createForm(
  values: Readonly<Record<string, unknown>>,
  errors: Record<string, string[]> = {},
  prefix = "",
): Form {
  const refuse = (field: string, message: string): void => {
    errors[prefix + field] ??= [message];
  };
  const value = (field: string): unknown => {
    const found = Object.hasOwn(values, field) ? values[field] : undefined;
    if (found !== undefined && found !== null && found !== "") return found;
    refuse(field, `The ${title(prefix + field)} field is required.`);
    return undefined;
  };
  return {
    value,
    text(field) {
      const found = value(field);
      if (typeof found === "string") return found;
      refuse(field, `The ${title(prefix + field)} field must be a string.`);
      return "";
    },
    object(field) {
      const found = value(field);
      if (isRecord(found)) return createForm(found, errors, `${prefix}${field}.`);
      refuse(field, `The ${title(prefix + field)} field must be an object.`);
      // Its fields are then missing because of it: their errors would say nothing new.
      return createForm({});
    },
    refuse,
    errors: () => (Object.keys(errors).length === 0 ? undefined : errors),
  };
}

function title(field: string): string {
  return field.replaceAll("_", " ");
}

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

/** Messages by field, as Laravel's validator gives them beside the first one. */
export type FieldErrors = Readonly<Record<string, readonly string[]>>;

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
