import type { FieldErrors } from "./reply.ts";

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
