import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "../clock.ts";
import { Problem, systemCode } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import { readTraceId } from "../policy/headers.ts";
import { shownPath } from "../policy/target.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { RejectedRequest } from "./authorize.ts";
import type { CallerRequest } from "./caller-request.ts";
import { closeAfterLast, type Connection, endLingering, owesRefusal, owesReplies } from "./connection.ts";
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

  function closeWith(connection: Connection, rejected: RejectedRequest, request?: IncomingMessage): void {
    const startedAt = clock.monotonic();
    const context = { ...contextOf(rejected, request), toHead: request?.method === "HEAD" };
    endLingering(connection, renderRawProblem(rejected.problem, context, new Date(clock.now())), clock);
    report(connection, rejected, startedAt, request);
  }

  return {
    onSocket: (connection, rejected) => closeWith(connection, rejected),
    withReply(connection, request, reply, rejected) {
      const startedAt = clock.monotonic();
      request.resume();
      if (rejected.problem.code === "bad-request") {
        // Where it ends is in doubt, so nothing behind it is a request (RFC 9112 section 6.3).
        if (!owesReplies(connection)) {
          closeWith(connection, rejected, request);
          return;
        }
        connection.closing = true;
        reply.shouldKeepAlive = false;
      }
      owesRefusal(connection, reply);
      // By then the parser has gone through the bytes that came with the head, a short body among them.
      clock.after(0, () => {
        if (!request.complete && connection.calls.length === 0) {
          closeWith(connection, rejected, request);
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
      const mistaken = protocolOf(error);
      const problem = mistaken === undefined ? toClientProblem(error) : wrongProtocol(mistaken, error);
      // The parser is at its end: the connection closes with the last reply that is still due on it.
      closeAfterLast(connection);
      for (const call of connection.calls) {
        // A request whose end the parser has seen is well-formed, though the last of it may not have been read yet.
        if (!call.reply.req.complete && call.failBody(problem)) return;
      }
      if (!owesReplies(connection)) {
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
      if (owesReplies(connection)) {
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

/** What was spoken in place of HTTP/1.1. */
type MistakenProtocol = "TLS" | "HTTP/2";

/** Told by the first bytes, which Node hangs on its parser's error. */
function protocolOf(error: Error): MistakenProtocol | undefined {
  const code = systemCode(error);
  // The preface of HTTP/2 (RFC 9113 section 3.4), which the parser knows.
  if (code === "HPE_PAUSED_H2_UPGRADE") return "HTTP/2";
  const bytes = code === "HPE_INVALID_METHOD" && "rawPacket" in error ? error.rawPacket : undefined;
  if (!(bytes instanceof Uint8Array)) return undefined;
  // A record of a handshake (RFC 8446 section 5.1), of which no more than its first byte may have come.
  return bytes[0] === 22 && (bytes[1] ?? 3) === 3 ? "TLS" : undefined;
}

function wrongProtocol(mistaken: MistakenProtocol, error: Error): Problem {
  const detail =
    mistaken === "TLS"
      ? "this is TLS, and this listener speaks plain HTTP/1.1: call it by http://, not https://; nothing was sent"
      : "this is HTTP/2, and this listener speaks HTTP/1.1: have the client use that version; nothing was sent";
  // The log tells of causes alone.
  return new Problem("bad-request", { detail, cause: new Problem("bad-request", { detail, cause: error }) });
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
