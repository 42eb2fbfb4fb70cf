import { validateHeaderName, validateHeaderValue } from "node:http";

import {
  certificateFlaws,
  type Fault,
  type FaultKind,
  faultKinds,
  type RequestEffect,
  type RequestMatch,
} from "./fault.ts";
import { type FieldErrors, isRecord } from "./http.ts";

/** Where everything is. */
export interface SandboxPlaces {
  readonly url: string;
  readonly controlUrl: string;
  readonly account: { readonly email: string; readonly password: string };
  readonly caFile: string;
  readonly tokenFile: string;
}

const sidecar = "http://127.0.0.1:7380";
const wallet = "/api/institutions/v1/wallet";

/**
 * What the sandbox prints: lines to copy into a shell. The account is made up, so that its
 * password may be shown; the token stands in its file only, as a real one would.
 */
export function pointers({ url, controlUrl, account, caFile, tokenFile }: SandboxPlaces): readonly string[] {
  const json = "-H 'Content-Type: application/json'";
  const order =
    '{"customer": {"identifier_type": "phone", "identifier": "218912345678"}, "amount": 10.500, "currency": "LYD"}';
  const fault = `{"kind": "reset-after-acting", "path": "${wallet}/confirm", "times": 1}`;
  const issue = {
    email: account.email,
    password: account.password,
    token_name: "by hand",
    token_expiration_date: "2099-01-01",
  };
  return [
    `A stand-in for Presto listens on ${url}, and knows one account:`,
    `  e-mail    ${account.email}`,
    `  password  ${account.password}`,
    "",
    "# Point a sidecar at it, in another terminal:",
    `export PRESTO_URL=${url}`,
    `export PRESTO_CA_FILE=${quoted(caFile)}`,
    `export PRESTO_TOKEN_FILE=${quoted(tokenFile)}`,
    "presto-sidecar start   # in a clone of the project: npx presto-sidecar start",
    "",
    "# Call it through the sidecar, in a third one (init answers with the reference):",
    `curl -i ${json} -d ${quoted(order)} ${sidecar}${wallet}/init`,
    `curl -i ${json} -d '{"transaction_reference": "TRX100000001"}' ${sidecar}${wallet}/confirm`,
    `curl -i ${sidecar}${wallet}/transaction/TRX100000001`,
    "",
    "# Issue a token by hand, which kills the one in use:",
    `curl --cacert ${quoted(caFile)} ${json} -d ${quoted(JSON.stringify(issue))} ${url}/api/institutions/v1/auth/token/issue`,
    "",
    "# The control endpoint: what moved, what can go wrong, and how to make it go wrong:",
    `curl ${controlUrl}/state`,
    `curl ${controlUrl}/`,
    `curl -d ${quoted(fault)} ${controlUrl}/faults`,
    `curl -X DELETE ${controlUrl}/faults`,
    `curl -X POST ${controlUrl}/reset`,
    `curl -X POST ${controlUrl}/revoke`,
    "",
    "# A new live token for the sidecar, after it was revoked, reset, or killed by an issue:",
    `curl -X POST -H 'Accept: text/plain' ${controlUrl}/token > ${quoted(tokenFile)}`,
    "",
    "Ctrl-C stops it and removes its files.",
  ];
}

/** As a POSIX shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

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
