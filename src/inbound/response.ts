import type { ServerResponse } from "node:http";

import { isRetryable, type Problem, problems } from "../errors.ts";
import { STATUS_CODES } from "../lib/node-http.ts";
import { selectReplyHeaders } from "../policy/headers.ts";
import type { Upstream } from "../policy/target.ts";
import {
  fieldOf,
  hasContent,
  type Response,
  type TransactionStatus,
  type TransactionView,
} from "../upstream/call.ts";

/** Bytes up to which a body is joined with its head. */
const largestJoined = 16 * 1024;

/** What goes beside Presto's own words. */
export interface ResponseContext {
  readonly requestId: string;
  /** What Presto says of the transaction, where the response does not settle what became of the money. */
  readonly transaction: TransactionStatus | undefined;
  readonly upstream: Upstream;
}

/** Writes Presto's response: a whole one, head and body, in one go; a larger one as it comes, cutting the connection if it is cut. */
export function writeResponse(
  reply: ServerResponse,
  response: Response,
  { requestId, transaction, upstream }: ResponseContext,
  onCut: (error: Error) => void,
): void {
  const { status, body } = response;
  const headers = selectReplyHeaders(response.headers, upstream);
  headers.push("Presto-Outcome", "answered", "X-Request-Id", requestId);
  if (transaction !== undefined) headers.push("Presto-Transaction", transaction);
  if (Buffer.isBuffer(body)) {
    // Without content there is no length either.
    if (hasContent(status)) headers.push("Content-Length", String(body.length));
    reply.writeHead(status, headers);
    if (!hasContent(status)) reply.end();
    // As a string of the same bytes the body goes out in one write with the head; copying a large one would cost more.
    else if (body.length <= largestJoined) reply.end(body.toString("latin1"), "latin1");
    else reply.end(body);
    return;
  }
  const length = fieldOf(response, "content-length");
  if (length !== undefined) headers.push("Content-Length", length);
  reply.writeHead(status, headers);
  body.on("error", onCut);
  reply.once("close", () => body.destroy());
  body.pipe(reply);
}

/** Writes a reply of the sidecar's own. */
export function writeProblem(reply: ServerResponse, problem: ProblemReply): void {
  reply.writeHead(problem.status, problem.headers);
  reply.end(problem.body);
}

export interface ProblemContext {
  readonly requestId: string;
  /** The operation would act a second time if it was sent again. */
  readonly actsTwice: boolean;
  readonly transaction?: TransactionView | undefined;
  /** Of the trace that the caller says the request belongs to. */
  readonly traceId?: string | undefined;
  /** The request was a HEAD. */
  readonly toHead?: boolean;
}

/** A reply of the sidecar's own, ready to be written. */
export interface ProblemReply {
  readonly status: number;
  /** Name, value, name, value… */
  readonly headers: string[];
  readonly body: string;
}

/** RFC 9457 document with the fields that go beside it; text only, all of it ASCII. */
export function renderProblem(problem: Problem, context: ProblemContext): ProblemReply {
  const { transaction } = context;
  const body = JSON.stringify({
    type: `urn:presto-sidecar:problem:${problem.code}`,
    title: problems[problem.code].title,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    outcome: problem.outcome,
    retryable: isRetryable(problem, context.actsTwice),
    request_id: context.requestId,
    ...(context.traceId === undefined ? {} : { trace_id: context.traceId }),
    ...(transaction === undefined
      ? {}
      : {
          transaction: {
            reference: transaction.reference,
            status: transaction.status,
            asked_at: transaction.askedAt.toISOString(),
          },
        }),
  });
  const headers = [
    "Content-Type",
    "application/problem+json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    "Cache-Control",
    "no-store",
    "Presto-Outcome",
    problem.outcome,
    "Proxy-Status",
    `presto-sidecar; error=${problem.proxyStatus}`,
    "X-Request-Id",
    context.requestId,
  ];
  if (problem.retryAfter !== undefined) headers.push("Retry-After", String(problem.retryAfter));
  if (problem.allow !== undefined) headers.push("Allow", problem.allow.join(", "));
  return { status: problem.status, headers, body };
}

/** The same as bytes for a bare socket, where no HTTP response can be had from Node; the connection is closed after it. */
export function renderRawProblem(problem: Problem, context: ProblemContext, now: Date): string {
  const { status, headers, body } = renderProblem(problem, context);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\nDate: ${now.toUTCString()}\r\nConnection: close\r\n`;
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  // RFC 9110 section 9.3.2: no content to HEAD.
  return context.toHead === true ? `${head}\r\n` : `${head}\r\n${body}`;
}
