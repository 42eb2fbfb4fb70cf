/**
 * Errors that end a command, each with the exit code it ends with. The codes are those of
 * BSD's sysexits where they fit; scripts and Kubernetes rely on them, so they never change.
 */
export const exitCodes = {
  unexpected: 1,
  usage: 64,
  "input-refused": 65,
  "no-token": 66,
  unreachable: 69,
  "system-refused": 71,
  "try-again": 75,
  refused: 77,
  configuration: 78,
} as const;

/** Literal code of an error that ends a command. */
export type CommandErrorCode = keyof typeof exitCodes;

/** An error that is told apart by its code. */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * A command that can't go on. The message is for people and never holds a secret:
 * it says what is wrong, and then what to do.
 */
export class CommandError extends CodedError<CommandErrorCode> {
  override readonly name = "CommandError";

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** The system's own code of an error (`ENOENT`, `ECONNREFUSED`…), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * The replies that the sidecar makes itself: one row for each `code`, as RFC 9457
 * problem documents name them to callers. Callers branch on `code`; it never changes.
 */

/** What is known of the request's fate; also the value of the `Presto-Outcome` field. */
export type Outcome = "not-sent" | "answered" | "unknown";

interface ProblemRow {
  readonly status: number;
  readonly title: string;
  /** Outcome of every reply with this code, unless the place that makes it knows better. */
  readonly outcome: "not-sent" | "unknown";
  /** Error type of the Proxy-Status field, RFC 9209 section 2.3. */
  readonly proxyStatus: string;
  /** May the caller send again after a `not-sent`? Not where the same bytes would be refused again. */
  readonly mayRepeat: boolean;
}

export const problems = {
  "bad-target": {
    status: 400,
    title: "The request target is not in canonical form",
    outcome: "not-sent",
    proxyStatus: "http_request_error",
    mayRepeat: false,
  },
  "bad-request": {
    status: 400,
    title: "The request is malformed",
    outcome: "not-sent",
    proxyStatus: "http_request_error",
    mayRepeat: false,
  },
  "browser-refused": {
    status: 403,
    title: "Requests made by a web page are refused",
    outcome: "not-sent",
    proxyStatus: "http_request_denied",
    mayRepeat: false,
  },
  "operation-not-allowed": {
    status: 403,
    title: "No such operation is allowed",
    outcome: "not-sent",
    proxyStatus: "http_request_denied",
    mayRepeat: false,
  },
  "method-not-allowed": {
    status: 405,
    title: "This operation has another method",
    outcome: "not-sent",
    proxyStatus: "http_request_denied",
    mayRepeat: false,
  },
  "duplicate-confirm": {
    status: 409,
    title: "The same transaction is under way, unclear or done",
    outcome: "not-sent",
    proxyStatus: "http_request_denied",
    mayRepeat: false,
  },
  "request-timeout": {
    status: 408,
    title: "The request was not complete in time",
    outcome: "not-sent",
    proxyStatus: "http_request_error",
    mayRepeat: true,
  },
  "body-too-large": {
    status: 413,
    title: "The request body is too large",
    outcome: "not-sent",
    proxyStatus: "http_request_error",
    mayRepeat: false,
  },
  "wrong-host": {
    status: 421,
    title: "The Host is not one of this sidecar's",
    outcome: "not-sent",
    proxyStatus: "http_request_denied",
    mayRepeat: false,
  },
  "headers-too-large": {
    status: 431,
    title: "The request's head is too large",
    outcome: "not-sent",
    proxyStatus: "http_request_error",
    mayRepeat: false,
  },
  "upstream-unreachable": {
    status: 502,
    title: "Presto could not be reached",
    outcome: "not-sent",
    proxyStatus: "destination_unavailable",
    mayRepeat: true,
  },
  "upstream-untrusted": {
    status: 502,
    title: "The server that answered could not prove that it is Presto",
    outcome: "not-sent",
    proxyStatus: "tls_certificate_error",
    mayRepeat: true,
  },
  "upstream-broken": {
    status: 502,
    title: "Presto's answer was lost or malformed",
    outcome: "unknown",
    proxyStatus: "http_response_incomplete",
    mayRepeat: true,
  },
  "no-token": {
    status: 503,
    title: "There is no live token",
    outcome: "not-sent",
    proxyStatus: "proxy_configuration_error",
    mayRepeat: true,
  },
  "egress-not-registered": {
    status: 503,
    title: "Calls would leave from an address that is not registered with Presto",
    outcome: "not-sent",
    proxyStatus: "proxy_configuration_error",
    mayRepeat: true,
  },
  overloaded: {
    status: 503,
    title: "The sidecar has too much to do",
    outcome: "not-sent",
    proxyStatus: "connection_limit_reached",
    mayRepeat: true,
  },
  draining: {
    status: 503,
    title: "The sidecar is shutting down",
    outcome: "not-sent",
    proxyStatus: "proxy_internal_response",
    mayRepeat: true,
  },
  "audit-unavailable": {
    status: 503,
    title: "The record of calls that move money can't be written",
    outcome: "not-sent",
    proxyStatus: "proxy_internal_response",
    mayRepeat: true,
  },
  "upstream-timeout": {
    status: 504,
    title: "Presto did not answer in time",
    outcome: "unknown",
    proxyStatus: "http_response_timeout",
    mayRepeat: true,
  },
  "internal-error": {
    status: 500,
    title: "The sidecar failed",
    outcome: "unknown",
    proxyStatus: "proxy_internal_error",
    mayRepeat: true,
  },
} as const satisfies Record<string, ProblemRow>;

/** Literal code of a reply that the sidecar makes. */
export type ProblemCode = keyof typeof problems;

export interface ProblemOptions {
  /** One sentence for the caller: what was wrong, and what to do. Never holds a secret, nor anything of a body. */
  readonly detail: string;
  /** Only where the code alone does not say it: `upstream-timeout` before the first byte, `internal-error`. */
  readonly outcome?: "not-sent" | "unknown";
  /** More exact RFC 9209 error type than the code's own. */
  readonly proxyStatus?: string;
  /** Seconds, for the Retry-After field. */
  readonly retryAfter?: number;
  /** For the Allow field of a 405. */
  readonly allow?: readonly string[];
  /** For the log only. */
  readonly cause?: unknown;
}

/** A request that ends with a reply of the sidecar's own. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly outcome: "not-sent" | "unknown";
  readonly proxyStatus: string;
  readonly retryAfter: number | undefined;
  readonly allow: readonly string[] | undefined;

  constructor(code: ProblemCode, options: ProblemOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? problems[code].outcome;
    this.proxyStatus = options.proxyStatus ?? problems[code].proxyStatus;
    this.retryAfter = options.retryAfter;
    this.allow = options.allow;
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/**
 * True only if sending the same request again cannot move money twice.
 * @param actsTwice the operation would act a second time (a confirm; a configured one unless GET)
 */
export function isRetryable(problem: Problem, actsTwice: boolean): boolean {
  if (problem.outcome === "unknown") return !actsTwice;
  return problems[problem.code].mayRepeat;
}
