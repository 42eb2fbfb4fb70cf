import { validateHeaderName, validateHeaderValue } from "node:http";

import {
  certificateFlaws,
  type Fault,
  type FaultKind,
  faultKinds,
  type RequestEffect,
  type RequestMatch,
} from "./fault.ts";
import { isRecord } from "./form.ts";
import type { FieldErrors } from "./reply.ts";

const longestWait = 600_000;

/** A fault, or what is wrong with what was given, by field. */
export type ParsedFault = { readonly fault: Fault } | { readonly errors: FieldErrors };

/** Reads a fault from JSON, and says everything that is wrong with it at once. */
export function parseFault(input: unknown): ParsedFault {
  if (!isRecord(input))
    return { errors: { fault: ['A fault is an object, such as {"kind": "half-answer", "times": 1}.'] } };
  const { kind } = input;
  if (typeof kind !== "string" || !isFaultKind(kind)) {
    return { errors: { kind: [`kind must be one of ${Object.keys(faultKinds).join(", ")}.`] } };
  }
  const errors: Record<string, string[]> = {};
  const known = ["kind", "times", ...Object.keys(faultKinds[kind].fields)];
  if (faultKinds[kind].strikes === "request") known.push("method", "path");
  for (const field of Object.keys(input)) {
    if (!known.includes(field))
      errors[field] = [`${kind} has no field ${field}; it has ${known.slice(1).join(", ")}.`];
  }
  const fault = readFault(kind, createReader(input, errors));
  return Object.keys(errors).length === 0 ? { fault } : { errors };
}

function isFaultKind(kind: string): kind is FaultKind {
  return Object.hasOwn(faultKinds, kind);
}

function readFault(kind: FaultKind, read: Reader): Fault {
  const times = read.optionalInteger("times", 1, Number.MAX_SAFE_INTEGER);
  switch (kind) {
    case "reset-at-connect":
    case "stall-at-connect":
    case "old-tls":
      return { kind, ...times };
    case "wrong-certificate":
      return { kind, ...times, certificate: read.oneOf("certificate", certificateFlaws) };
    default:
      return { ...readEffect(kind, read), ...times, ...readMatch(read) };
  }
}

function readMatch(read: Reader): RequestMatch {
  return {
    ...read.optionalText("method", /^[A-Z]+$/, "a method in capital letters, such as POST"),
    ...read.optionalText(
      "path",
      /^\/[^?#*]*\*?$/,
      "a path that begins with / and has no query; * may stand at its end",
    ),
  };
}

function readEffect(kind: RequestEffect["kind"], read: Reader): RequestEffect {
  switch (kind) {
    case "hold":
      return { kind, ...read.optionalBoolean("acts") };
    case "slow-head":
    case "slow-body":
      return { kind, ms: read.integer("ms", 0, longestWait) };
    case "status":
      return {
        kind,
        status: read.integer("status", 400, 599),
        ...read.optionalText("message"),
        ...read.optionalInteger("retryAfter", 0, 86_400),
        ...read.optionalBoolean("acts"),
      };
    case "html":
      return { kind, ...read.optionalInteger("status", 200, 599), ...read.optionalBoolean("acts") };
    case "answer":
      return {
        kind,
        status: read.integer("status", 200, 599),
        ...read.optionalHeaders("headers"),
        ...read.optionalText("body"),
        ...read.optionalBoolean("acts"),
      };
    default:
      return { kind };
  }
}

type Reader = ReturnType<typeof createReader>;

/** Takes typed values out of an object; for a bad one it notes the error and gives a value that is never used. */
function createReader(input: Readonly<Record<string, unknown>>, errors: Record<string, string[]>) {
  const refuse = (field: string, what: string): void => {
    errors[field] ??= [`${field} must be ${what}.`];
  };
  const integer = (field: string, least: number, most: number): number => {
    const value = input[field];
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    refuse(
      field,
      most === Number.MAX_SAFE_INTEGER
        ? `a whole number from ${least} on`
        : `a whole number from ${least} to ${most}`,
    );
    return least;
  };
  // Each gives an object with the field, or an empty one: an optional field that is absent has no value at all.
  const optional = <Field extends string, Value>(
    field: Field,
    read: () => Value,
  ): Partial<Record<Field, Value>> => {
    const found: Partial<Record<Field, Value>> = {};
    if (input[field] !== undefined) found[field] = read();
    return found;
  };
  return {
    integer,
    oneOf<Value extends string>(field: string, values: readonly [Value, ...Value[]]): Value {
      const found = values.find((value) => value === input[field]);
      if (found === undefined) refuse(field, `one of ${values.join(", ")}`);
      return found ?? values[0];
    },
    optionalInteger: <Field extends string>(field: Field, least: number, most: number) =>
      optional(field, () => integer(field, least, most)),
    optionalBoolean: <Field extends string>(field: Field) =>
      optional(field, () => {
        if (typeof input[field] !== "boolean") refuse(field, "true or false");
        return input[field] === true;
      }),
    optionalText: <Field extends string>(field: Field, shape = /^/, what = "text") =>
      optional(field, () => {
        const value = input[field];
        if (typeof value === "string" && shape.test(value)) return value;
        refuse(field, what);
        return "";
      }),
    optionalHeaders: <Field extends string>(field: Field) =>
      optional(field, () => {
        const headers: Record<string, string> = {};
        const value = input[field];
        if (!isRecord(value)) refuse(field, "an object of header names and values");
        for (const [name, text] of Object.entries(isRecord(value) ? value : {})) {
          if (typeof text === "string" && isHeader(name, text)) headers[name] = text;
          else
            refuse(field, `header names and values as HTTP allows them; ${JSON.stringify(name)} is not one`);
        }
        return headers;
      }),
  };
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
