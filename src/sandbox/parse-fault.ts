import { validateHeaderName, validateHeaderValue } from "node:http";

import {
  certificateFlaws,
  type Fault,
  type FaultKind,
  faultKinds,
  type RequestEffect,
  type RequestMatch,
} from "./fault.ts";
import {
  createBody,
  type RequestBody,
  flag,
  integer,
  InvalidFieldsError,
  isObject,
  oneOf,
  optional,
  required,
  type Shape,
  text,
} from "./request-body.ts";

const longestWaitMs = 600_000;

/** Reads a fault from JSON. Throws an InvalidFieldsError with everything that is wrong with it. */
export function parseFault(input: unknown): Fault {
  if (!isObject(input))
    throw new InvalidFieldsError({
      fault: ['A fault is an object, such as {"kind": "half-answer", "times": 1}.'],
    });
  const { kind } = input;
  if (typeof kind !== "string" || !isFaultKind(kind)) {
    throw new InvalidFieldsError({ kind: [`kind must be one of ${Object.keys(faultKinds).join(", ")}.`] });
  }
  const body = createBody(input);
  const known = ["times", ...Object.keys(faultKinds[kind].fields)];
  if (faultKinds[kind].strikes === "request") known.push("method", "path");
  for (const field of Object.keys(input)) {
    if (field !== "kind" && !known.includes(field))
      body.refuse(field, `${kind} has no field ${field}; it has ${known.join(", ")}.`);
  }
  const fault = readFault(kind, body);
  body.check();
  return fault;
}

function isFaultKind(kind: string): kind is FaultKind {
  return Object.hasOwn(faultKinds, kind);
}

function readFault(kind: FaultKind, body: RequestBody): Fault {
  const times = optional(body, "times", integer(1));
  switch (kind) {
    case "reset-at-connect":
    case "stall-at-connect":
    case "old-tls":
      return { kind, ...times };
    case "wrong-certificate":
      return { kind, ...times, certificate: required(body, "certificate", oneOf(certificateFlaws)) };
    default:
      return { ...readEffect(kind, body), ...times, ...readMatch(body) };
  }
}

const method = text("a method in capital letters, such as POST", /^[A-Z]+$/);
const path = text("a path that begins with / and has no query; * may stand at its end", /^\/[^?#*]*\*?$/);

function readMatch(body: RequestBody): RequestMatch {
  return { ...optional(body, "method", method), ...optional(body, "path", path) };
}

function readEffect(kind: RequestEffect["kind"], body: RequestBody): RequestEffect {
  switch (kind) {
    case "hold":
      return { kind, ...optional(body, "acts", flag) };
    case "slow-head":
    case "slow-body":
      return { kind, ms: required(body, "ms", integer(0, longestWaitMs)) };
    case "status":
      return {
        kind,
        status: required(body, "status", integer(400, 599)),
        ...optional(body, "message", text()),
        ...optional(body, "retryAfter", integer(0, 86_400)),
        ...optional(body, "acts", flag),
      };
    case "html":
      return {
        kind,
        ...optional(body, "status", integer(200, 599)),
        ...optional(body, "acts", flag),
      };
    case "answer":
      return {
        kind,
        status: required(body, "status", integer(200, 599)),
        ...optional(body, "headers", headers),
        ...optional(body, "body", text()),
        ...optional(body, "acts", flag),
      };
    default:
      return { kind };
  }
}

const headers: Shape<Readonly<Record<string, string>>> = {
  what(value) {
    if (!isObject(value)) return "an object of header names and values";
    const [name] = Object.entries(value).find((entry) => !isHeader(entry)) ?? [];
    return `header names and values as HTTP allows them; ${JSON.stringify(name)} is not one`;
  },
  read(value) {
    const entries = isObject(value) ? Object.entries(value) : [];
    return isObject(value) && entries.every(isHeader) ? Object.fromEntries(entries) : undefined;
  },
  unless: {},
};

function isHeader(entry: readonly [name: string, value: unknown]): entry is [string, string] {
  const [name, value] = entry;
  if (typeof value !== "string") return false;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
