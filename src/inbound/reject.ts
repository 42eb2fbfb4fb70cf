import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "../clock.ts";
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

  function report(connection: Connection, { requestId, problem }: RejectedRequest, startedAt: number): void {
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

  function onSocket(connection: Connection, rejected: RejectedRequest, toHead = false): void {
    const startedAt = clock.monotonic();
    endLingering(
      connection,
      renderRawProblem(rejected.problem, { ...contextOf(rejected), toHead }, new Date(clock.now())),
      clock,
    );
    report(connection, rejected, startedAt);
  }

  return {
    onSocket,
    withReply(connection, request, reply, rejected) {
      const startedAt = clock.monotonic();
      request.resume();
      if (rejected.problem.code === "bad-request") {
        // Where it ends is in doubt, so nothing behind it is a request (RFC 9112 section 6.3).
        if (connection.calls.length === 0) {
          onSocket(connection, rejected, request.method === "HEAD");
          return;
        }
        connection.closing = true;
        reply.shouldKeepAlive = false;
      }
      // By then the parser has gone through the bytes that came with the head, a short body among them.
      clock.after(0, () => {
        if (!request.complete && connection.calls.length === 0) {
          onSocket(connection, rejected, request.method === "HEAD");
          return;
        }
        writeProblem(reply, renderProblem(rejected.problem, contextOf(rejected)));
        report(connection, rejected, startedAt);
      });
    },
  };
}

function contextOf(rejected: RejectedRequest): { requestId: string; actsTwice: boolean } {
  return { requestId: rejected.requestId, actsTwice: false };
}
