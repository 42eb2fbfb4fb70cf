import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "../clock.ts";
import { Problem, systemCode } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import type { CallFinished } from "../upstream/call.ts";
import type { RejectedRequest } from "./authorize.ts";
import { type Connection, endLingering } from "./connection.ts";
import { renderProblem, renderRawProblem, writeProblem } from "./response.ts";

export interface RejectOptions {
  readonly clock: Clock;
  readonly emit: Emit<CallFinished>;
}

/** Answers requests that never became a call: nothing of them was or will be sent. */
export interface RejectRequest {
  /** With Node's response, if the request is complete or others are answered before it; else on the bare socket. */
  withResponse(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    refused: RejectedRequest,
  ): void;
  /** On the bare socket, which is closed after it. */
  onSocket(connection: Connection, refused: RejectedRequest): void;
}

export function createRejectRequest(options: RejectOptions): RejectRequest {
  const { clock, emit } = options;

  function tell(connection: Connection, { requestId, problem }: RejectedRequest, startedAt: number): void {
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
      callerGone: false,
    });
  }

  function onSocket(connection: Connection, refused: RejectedRequest, toHead = false): void {
    const startedAt = clock.monotonic();
    endLingering(
      connection,
      renderRawProblem(refused.problem, { ...contextOf(refused), toHead }, new Date(clock.now())),
      clock,
    );
    tell(connection, refused, startedAt);
  }

  return {
    onSocket,
    withResponse(connection, request, response, refused) {
      const startedAt = clock.monotonic();
      request.resume();
      if (refused.problem.code === "bad-request") {
        // Where it ends is in doubt, so nothing behind it is a request (RFC 9112 section 6.3).
        if (connection.calls.length === 0) {
          onSocket(connection, refused, request.method === "HEAD");
          return;
        }
        connection.closing = true;
        response.shouldKeepAlive = false;
      }
      // By then the parser has gone through the bytes that came with the head, a short body among them.
      clock.after(0, () => {
        if (!request.complete && connection.calls.length === 0) {
          onSocket(connection, refused, request.method === "HEAD");
          return;
        }
        writeProblem(response, renderProblem(refused.problem, contextOf(refused)));
        tell(connection, refused, startedAt);
      });
    },
  };
}

function contextOf(refused: RejectedRequest): { requestId: string; actsTwice: boolean } {
  return { requestId: refused.requestId, actsTwice: false };
}

/** The problem of a request that Node's HTTP parser or its timers refused; the parser's words go to the log only. */
export function toClientProblem(error: Error): Problem {
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
