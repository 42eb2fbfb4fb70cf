import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

import { Problem } from "../errors.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { checkCaller, hostNames } from "../policy/caller.ts";
import { checkFraming } from "../policy/framing.ts";
import { readRequestId, readTraceId, selectRequestHeaders } from "../policy/headers.ts";
import { createOperations, isAuthPath, type Operation } from "../policy/operations.ts";
import { checkTarget, createOwnAuthority, type Upstream } from "../policy/target.ts";
import type { AcceptedRequest } from "./request.ts";

export interface AuthorizeOptions {
  readonly upstream: Upstream;
  /** Further names accepted in Host. */
  readonly hosts: readonly string[];
  readonly operations: readonly Operation[];
  /** `traceparent` goes on to Presto. */
  readonly traceUpstream: boolean;
}

/** A request that is refused, with the id that its reply carries. */
export interface RejectedRequest {
  readonly requestId: string;
  readonly problem: Problem;
}

/** Judges a request's head, in the order of the design: caller, framing, target, operation; then picks what is forwarded of its fields. */
export type AuthorizeRequest = (
  request: IncomingMessage,
  unixSocket: boolean,
) => AcceptedRequest | RejectedRequest;

/** More than any app sends. Each costs memory beyond its bytes, so that the size of the head alone is no bound. */
const mostFields = 256;

/** Node's parser also takes others, and a request line without one. */
const versions: ReadonlySet<string> = new Set(["1.0", "1.1"]);

export function createAuthorize(options: AuthorizeOptions): AuthorizeRequest {
  const names = hostNames(options.upstream.host, options.hosts);
  const isOwnAuthority = createOwnAuthority(options.upstream);
  const operations = createOperations(options.operations);
  const allowedInstead = createAllowedInstead(options.operations);
  const overTcp = { unixSocket: false, names };
  const overUnix = { unixSocket: true, names };

  return (request, unixSocket) => {
    const { rawHeaders } = request;
    const method = request.method ?? "";
    const requestId = readRequestId(rawHeaders) ?? randomUUID();
    const refuse = (problem: Problem): RejectedRequest => ({ requestId, problem });

    if (!versions.has(request.httpVersion)) {
      return refuse(
        new Problem("bad-request", {
          detail: "the request is not HTTP/1.1; have the client use that version",
        }),
      );
    }
    const caller = checkCaller(rawHeaders, unixSocket ? overUnix : overTcp);
    if (!caller.ok) return refuse(new Problem(caller.code, { detail: caller.detail }));
    const framing = checkFraming(method, rawHeaders, request.httpVersion === "1.0" ? "1.0" : "1.1");
    if (!framing.ok) return refuse(new Problem(framing.code, { detail: framing.detail }));
    if (rawHeaders.length > 2 * mostFields) {
      return refuse(
        new Problem("headers-too-large", {
          detail: `the request has more than ${mostFields} header fields; send fewer`,
        }),
      );
    }
    const target = checkTarget(request.url ?? "", isOwnAuthority);
    if (!target.ok) return refuse(new Problem("bad-target", { detail: target.detail }));
    const match = operations.match(method, target.path);
    if (match.kind === "not-allowed") {
      return refuse(
        new Problem("operation-not-allowed", {
          detail: isAuthPath(target.path)
            ? "auth/* is closed whatever is configured: nobody issues or revokes the token through this listener"
            : `this path is not in the table of operations (PRESTO_OPERATIONS). ${allowedInstead(target.path)} Health and status are on the admin listener`,
        }),
      );
    }
    if (match.kind === "method-not-allowed") {
      return refuse(
        new Problem("method-not-allowed", {
          detail: `this path takes ${match.allow.join(", ")}`,
          allow: match.allow,
        }),
      );
    }

    const headers = selectRequestHeaders(rawHeaders);
    if (options.traceUpstream) {
      const parent = request.headers["traceparent"];
      // Two of them, which Node joins, are not one that is well-formed.
      if (typeof parent === "string" && readTraceId(parent) !== undefined)
        headers.push("traceparent", parent);
    }
    headers.push("x-request-id", requestId);
    return { requestId, operation: match.operation, target: target.target, headers };
  };
}

/** So few are all told to whoever asked for another. */
const fewOperations = 8;
/** Of a path; the time that finding the nearest takes grows with it. */
const mostCompared = 256;

/** Says what may be called, in the words of the configuration: nothing that the request sent is repeated. */
function createAllowedInstead(operations: readonly Operation[]): (path: string) => string {
  const describe = ({ method, template }: Operation): string => `${method} ${template}`;
  const all = [...new Set(operations.map(describe))];
  if (all.length <= fewOperations) return () => `Allowed: ${all.join(", ")}.`;
  const templates = [...new Set(operations.map(({ template }) => template))];
  return (path) => {
    const nearest = nearestName(path.slice(0, mostCompared), templates, Infinity);
    const near = operations.filter(({ template }) => template === nearest).map(describe);
    return `The nearest that is allowed: ${[...new Set(near)].join(", ")}.`;
  };
}
