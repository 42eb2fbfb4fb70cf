import { validateHeaderName, validateHeaderValue } from "node:http";

import {
  createBody,
  flag,
  integer,
  InvalidFieldsError,
  isObject,
  oneOf,
  optional,
  type RequestBody,
  required,
  type Shape,
  text,
} from "./http.ts";

/** What is wrong with a certificate that the `wrong-certificate` fault presents. */
const certificateFlaws = ["other-name", "expired", "other-authority", "self-signed"] as const;

/** See {@link certificateFlaws}. */
export type CertificateFlaw = (typeof certificateFlaws)[number];

/** What a fault does to a new connection, before any request can be seen on it. */
export type ConnectionEffect =
  | { readonly kind: "reset-at-connect" }
  | { readonly kind: "stall-at-connect" }
  | { readonly kind: "wrong-certificate"; readonly certificate: CertificateFlaw }
  | { readonly kind: "old-tls" };

/** Whether a request that is answered by a fault is executed all the same. */
interface Acting {
  /** Default false. */
  readonly acts?: boolean;
  /** It is executed so many milliseconds after it was read, whenever it was answered. Default 0. */
  readonly actsAfterMs?: number;
}

/** What a fault does to a request. Durations are milliseconds; `acts` defaults to false. */
export type RequestEffect =
  | { readonly kind: "reset-before-reading" }
  | { readonly kind: "reset-before-acting" }
  | { readonly kind: "reset-after-acting" }
  | { readonly kind: "hold"; readonly acts?: boolean }
  | { readonly kind: "slow-head"; readonly ms: number }
  | { readonly kind: "slow-body"; readonly ms: number }
  | { readonly kind: "half-answer" }
  | { readonly kind: "garbage" }
  | (Acting & {
      readonly kind: "status";
      readonly status: number;
      readonly message?: string;
      /** Seconds. */
      readonly retryAfter?: number;
    })
  | (Acting & { readonly kind: "html"; readonly status?: number })
  | (Acting & {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    });

/** Which requests a fault hits. */
export interface RequestMatch {
  /** Default: every method. */
  readonly method?: string;
  /** The exact path without its query, or the beginning of one and a `*`. Default: every path. */
  readonly path?: string;
  /** The exact `X-Request-Id`. Default: any, or none. */
  readonly requestId?: string;
}

/** How often a fault strikes. */
export interface FaultTimes {
  /** The next N. Default: until the fault is removed. */
  readonly times?: number;
}

/** A fault that strikes connections. */
export type ConnectionFault = ConnectionEffect & FaultTimes;

/** A fault that strikes requests. */
export type RequestFault = RequestEffect & RequestMatch & FaultTimes;

/** A fault, as it is set. */
export type Fault = ConnectionFault | RequestFault;

/** Name of a fault. */
export type FaultKind = Fault["kind"];

/** A kind as people read of it; docs/sandbox.md has a table that is made from these. */
export interface FaultKindDoc {
  readonly strikes: "connection" | "request";
  readonly does: string;
  /** Its own fields, beside `times` and, where it strikes requests, `method`, `path` and `requestId`. */
  readonly fields: Readonly<Record<string, string>>;
}

const acting = {
  acts: "true: the request is executed all the same. Default false",
  actsAfterMs: "with acts: so many milliseconds after it was read, at most 600000. Default 0",
};

/** Every kind of fault, what it does, and its own fields. */
export const faultKinds: Readonly<Record<FaultKind, FaultKindDoc>> = {
  "reset-at-connect": {
    strikes: "connection",
    does: "Resets a new connection before the TLS handshake.",
    fields: {},
  },
  "stall-at-connect": {
    strikes: "connection",
    does: "Accepts a new connection and never answers the handshake, until the fault is removed; then resets it.",
    fields: {},
  },
  "wrong-certificate": {
    strikes: "connection",
    does: "Presents a bad certificate. Idle connections are closed first, so that the next request sees it.",
    fields: { certificate: `one of ${certificateFlaws.join(", ")}` },
  },
  "old-tls": {
    strikes: "connection",
    does: "Speaks no TLS newer than 1.1. Idle connections are closed first.",
    fields: {},
  },
  "reset-before-reading": {
    strikes: "request",
    does: "Resets the connection once the request's head has come; the body is not read and nothing is executed.",
    fields: {},
  },
  "reset-before-acting": {
    strikes: "request",
    does: "Reads the whole request, executes nothing, resets the connection.",
    fields: {},
  },
  "reset-after-acting": {
    strikes: "request",
    does: "Executes the request, then resets the connection in place of an answer.",
    fields: {},
  },
  hold: {
    strikes: "request",
    does: "Keeps the request waiting until the fault is removed, then goes on as usual, whether or not the client is still there.",
    fields: { acts: "true: it is executed at once and only the answer waits. Default false" },
  },
  "slow-head": {
    strikes: "request",
    does: "Executes the request, then waits before the answer's first byte.",
    fields: { ms: "how long, in milliseconds, at most 600000" },
  },
  "slow-body": {
    strikes: "request",
    does: "Executes the request, sends the head and half of the body, and waits before the rest.",
    fields: { ms: "how long, in milliseconds, at most 600000" },
  },
  "half-answer": {
    strikes: "request",
    does: "Executes the request, sends the head and half of the body, and closes the connection.",
    fields: {},
  },
  garbage: {
    strikes: "request",
    does: "Executes the request, then sends bytes that are not HTTP, and closes the connection.",
    fields: {},
  },
  status: {
    strikes: "request",
    does: 'Answers with a status of your choice in Presto\'s shape, `{"message"}`.',
    fields: {
      status: "400 to 599",
      message: "optional text",
      retryAfter: "optional seconds for Retry-After",
      ...acting,
    },
  },
  html: {
    strikes: "request",
    does: "Answers with the HTML error page of a gateway.",
    fields: { status: "200 to 599. Default 502", ...acting },
  },
  answer: {
    strikes: "request",
    does: "Answers with exactly the status, headers and body given: a redirect, a cookie, a very long body.",
    fields: {
      status: "200 to 599",
      headers: "optional object of header names and values",
      body: "optional text",
      ...acting,
    },
  },
};

/** Does it strike connections, rather than requests? */
export function isConnectionFault(fault: Fault): fault is ConnectionFault {
  return faultKinds[fault.kind].strikes === "connection";
}

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
  if (faultKinds[kind].strikes === "request") known.push("method", "path", "requestId");
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

const requestId = text("an X-Request-Id of 1 to 128 of A-Za-z0-9._-", /^[A-Za-z0-9._-]{1,128}$/);

function readMatch(body: RequestBody): RequestMatch {
  return {
    ...optional(body, "method", method),
    ...optional(body, "path", path),
    ...optional(body, "requestId", requestId),
  };
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
        ...readActing(body),
      };
    case "html":
      return {
        kind,
        ...optional(body, "status", integer(200, 599)),
        ...readActing(body),
      };
    case "answer":
      return {
        kind,
        status: required(body, "status", integer(200, 599)),
        ...optional(body, "headers", headers),
        ...optional(body, "body", text()),
        ...readActing(body),
      };
    default:
      return { kind };
  }
}

function readActing(body: RequestBody): Acting {
  return {
    ...optional(body, "acts", flag),
    ...optional(body, "actsAfterMs", integer(0, longestWaitMs)),
  };
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
