import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

import { Problem, systemCode } from "../errors.ts";
import { closeAfterLast, type Connection } from "./connection.ts";
import type { RejectRequest } from "./reject.ts";
import type { CallerRequest } from "./request.ts";

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
