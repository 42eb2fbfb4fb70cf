import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "../clock.ts";
import { Problem, systemCode } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import { readTraceId } from "../policy/headers.ts";
import { shownPath } from "../policy/target.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { RejectedRequest } from "./authorize.ts";
import { closeAfterLast, type Connection, endLingering } from "./connection.ts";
import type { CallerRequest } from "./request.ts";
import { type ProblemContext, renderProblem, renderRawProblem, writeProblem } from "./response.ts";

export interface RejectOptions {
  readonly clock: Clock;
  readonly emit: Emit<CallFinished>;
}

/** Answers requests that never became a call: nothing of them was or will be sent. */
export interface RejectRequest {
  /** With Node's response, if the request is complete or others are answered before it; else on the bare socket. */
  withReply(
    connection: Connection,
    request: IncomingMessage,
    reply: ServerResponse,
    rejected: RejectedRequest,
  ): void;
  /** On the bare socket, which is closed after it. */
  onSocket(connection: Connection, rejected: RejectedRequest): void;
}

export function createRejectRequest(options: RejectOptions): RejectRequest {
  const { clock, emit } = options;

  function report(
    connection: Connection,
    { requestId, problem }: RejectedRequest,
    startedAt: number,
    request?: IncomingMessage,
  ): void {
    emit({
      type: "call-finished",
      requestId,
      operation: "none",
      movesMoney: false,
      outcome: problem.outcome,
      status: problem.status,
      code: problem.code,
      cause: problem.cause,
      upstreamMs: 0,
      totalMs: clock.monotonic() - startedAt,
      sends: 0,
      generation: undefined,
      peer: connection.peer,
      traceId: readTraceId(request?.headers["traceparent"]),
      traceParent: request?.headers["traceparent"]?.toString(),
      method: request?.method,
      path: request?.url === undefined ? undefined : shownPath(request.url),
      callerGone: false,
      cutOff: false,
    });
  }

  function onSocket(connection: Connection, rejected: RejectedRequest, request?: IncomingMessage): void {
    const startedAt = clock.monotonic();
    const context = { ...contextOf(rejected, request), toHead: request?.method === "HEAD" };
    endLingering(connection, renderRawProblem(rejected.problem, context, new Date(clock.now())), clock);
    report(connection, rejected, startedAt, request);
  }

  return {
    onSocket,
    withReply(connection, request, reply, rejected) {
      const startedAt = clock.monotonic();
      request.resume();
      if (rejected.problem.code === "bad-request") {
        // Where it ends is in doubt, so nothing behind it is a request (RFC 9112 section 6.3).
        if (connection.calls.length === 0) {
          onSocket(connection, rejected, request);
          return;
        }
        connection.closing = true;
        reply.shouldKeepAlive = false;
      }
      // By then the parser has gone through the bytes that came with the head, a short body among them.
      clock.after(0, () => {
        if (!request.complete && connection.calls.length === 0) {
          onSocket(connection, rejected, request);
          return;
        }
        writeProblem(reply, renderProblem(rejected.problem, contextOf(rejected, request)));
        report(connection, rejected, startedAt, request);
      });
    },
  };
}

function contextOf({ requestId }: RejectedRequest, request: IncomingMessage | undefined): ProblemContext {
  return { requestId, actsTwice: false, traceId: readTraceId(request?.headers["traceparent"]) };
}

/** What Node's HTTP server tells of beside requests: there is nothing in it to serve, and never a reason to answer for a call that is under way. */
export interface ProtocolErrors {
  /** The HTTP parser, a timeout or the socket failed. */
  onClientError(connection: Connection, error: Error): void;
  onConnectMethod(connection: Connection): void;
  /** `Expect` with anything else than 100-continue. */
  onExpectUnknown(connection: Connection, request: CallerRequest, reply: ServerResponse): void;
}

export function createProtocolErrors(reject: RejectRequest): ProtocolErrors {
  return {
    onClientError(connection, error) {
      const { socket } = connection;
      if (systemCode(error) === "ECONNRESET" || !socket.writable) {
        socket.destroy();
        return;
      }
      if (connection.closing) return;
      const problem = toClientProblem(error);
      // The parser is at its end: the connection closes with the last reply that is still due on it.
      closeAfterLast(connection);
      for (const call of connection.calls) {
        if (call.failBody(problem)) return;
      }
      if (connection.calls.length === 0) {
        reject.onSocket(connection, { requestId: randomUUID(), problem });
        return;
      }
      // What came after a request that is under way must not answer for it: a 400 "not-sent" would be a lie about money.
      connection.closing = true;
    },
    onConnectMethod(connection) {
      // Node has taken its own listener off by then, and an error without one would end the process.
      connection.socket.on("error", () => connection.socket.destroy());
      if (connection.closing) return;
      if (connection.calls.length > 0) {
        connection.closing = true;
        closeAfterLast(connection);
        return;
      }
      const problem = new Problem("bad-target", {
        detail: "CONNECT is refused: this is not a tunnel; send plain requests for the API's paths",
      });
      reject.onSocket(connection, { requestId: randomUUID(), problem });
    },
    onExpectUnknown(connection, request, reply) {
      const problem = new Problem("bad-request", {
        detail: "the Expect field names something else than 100-continue; leave it out",
      });
      reply.shouldKeepAlive = false;
      reject.withReply(connection, request, reply, { requestId: randomUUID(), problem });
    },
  };
}

/** The problem of a request that Node's HTTP parser or its timers refused; the parser's words go to the log only. */
function toClientProblem(error: Error): Problem {
  switch (systemCode(error)) {
    case "HPE_HEADER_OVERFLOW":
      return new Problem("headers-too-large", {
        detail: "the request's head is larger than 16 KiB; send fewer or shorter fields",
        cause: error,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Problem("request-timeout", {
        detail: "the request was not complete in time; nothing was sent",
        cause: error,
      });
    default:
      return new Problem("bad-request", {
        detail: "this is not a well-formed HTTP/1.1 request; nothing was sent",
        cause: error,
      });
  }
}
