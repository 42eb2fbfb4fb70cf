import type { ServerResponse } from "node:http";

import { fieldOf } from "../egress/answer.ts";
import type { Answer } from "../egress/answer.ts";
import type { Upstream } from "../policy/authority.ts";
import { selectReplyHeaders } from "../policy/headers.ts";
import type { ProblemReply } from "./problem-document.ts";

/** RFC 9110 sections 15.3.5 and 15.4.5: these have no content, and so no length. */
const hasNoContent = (status: number): boolean => status === 204 || status === 304;

/** Bytes up to which a body is joined with its head. */
const largestJoined = 16 * 1024;

/** Writes Presto's answer: a whole one, head and body, in one go; a larger one as it comes, cutting the connection if it is cut. */
export function writeAnswer(
  response: ServerResponse,
  answer: Answer,
  requestId: string,
  upstream: Upstream,
  onCut: (error: Error) => void,
): void {
  const { status, body } = answer;
  const headers = selectReplyHeaders(answer.headers, upstream);
  headers.push("Presto-Outcome", "answered", "X-Request-Id", requestId);
  if (Buffer.isBuffer(body)) {
    if (!hasNoContent(status)) headers.push("Content-Length", String(body.length));
    response.writeHead(status, headers);
    if (hasNoContent(status)) response.end();
    // As a string of the same bytes the body goes out in one write with the head; copying a large one would cost more.
    else if (body.length <= largestJoined) response.end(body.toString("latin1"), "latin1");
    else response.end(body);
    return;
  }
  const length = fieldOf(answer, "content-length");
  if (length !== undefined) headers.push("Content-Length", length);
  response.writeHead(status, headers);
  body.on("error", onCut);
  response.once("close", () => body.destroy());
  body.pipe(response);
}

/** Writes a reply of the sidecar's own. */
export function writeProblem(response: ServerResponse, reply: ProblemReply): void {
  response.writeHead(reply.status, reply.headers);
  response.end(reply.body);
}
