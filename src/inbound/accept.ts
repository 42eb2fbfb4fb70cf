import type { ServerResponse } from "node:http";

import type { AuthorizeRequest } from "./authorize.ts";
import type { CallerRequest } from "./caller-request.ts";
import type { CallsUnderWay } from "./calls-under-way.ts";
import type { Connection } from "./connection.ts";
import type { RejectRequest } from "./reject.ts";
import { type CallDeps, InboundCall } from "./request.ts";
import type { ProxyRoute } from "./route.ts";

export interface AcceptOptions {
  /** The whole exchange as the caller sees it, milliseconds. */
  readonly timeoutMs: number;
  /** Largest body, bytes. */
  readonly maxBody: number;
}

export interface AcceptDeps {
  readonly authorize: AuthorizeRequest;
  readonly reject: RejectRequest;
  readonly underWay: CallsUnderWay;
  readonly route: ProxyRoute["route"];
  readonly call: Omit<CallDeps, "onOver">;
}

/** Makes a call of each request that may become one, and rejects the others. */
export interface AcceptRequests {
  onRequest(connection: Connection, request: CallerRequest, reply: ServerResponse): void;
  /** `Expect: 100-continue`: the caller waits for a word before it sends the body. */
  onExpectContinue(connection: Connection, request: CallerRequest, reply: ServerResponse): void;
}

/** How much of a money call's time is kept back to ask what became of it, at most, milliseconds. */
const reserveMaxMs = 2_000;

export function createAccept(options: AcceptOptions, deps: AcceptDeps): AcceptRequests {
  const { authorize, reject, underWay } = deps;
  const { timeoutMs } = options;
  const callDeps: CallDeps = { ...deps.call, onOver: underWay.over };

  function onRequest(connection: Connection, request: CallerRequest, reply: ServerResponse): void {
    // RFC 9112 section 9.6: nothing more is served on a connection that was told to close.
    if (connection.closing || connection.lastTaken) {
      request.resume();
      return;
    }
    // Node's parser drops, without a word, what came in one piece behind a request with an Upgrade that is ignored:
    // what comes next might be the second half of a request, and is taken for none.
    if (request.headers.upgrade !== undefined) connection.lastTaken = true;
    if (connection.lastTaken || underWay.isDraining()) reply.shouldKeepAlive = false;
    const authorized = authorize(request, connection.unixSocket);
    if ("problem" in authorized) {
      reject.withReply(connection, request, reply, authorized);
      return;
    }
    const problem = underWay.refusal();
    if (problem !== undefined) {
      reject.withReply(connection, request, reply, { requestId: authorized.requestId, problem });
      return;
    }
    const reserveMs =
      authorized.operation.reconcile === undefined ? 0 : Math.min(reserveMaxMs, timeoutMs / 10);
    const call = new InboundCall(authorized, connection, reply, { timeoutMs, reserveMs }, callDeps);
    underWay.begun(call);
    deps.route(call, request, reply);
  }

  return {
    onRequest,
    onExpectContinue(connection, request, reply) {
      const authorized = authorize(request, connection.unixSocket);
      const tooLarge = Number(request.headers["content-length"] ?? 0) > options.maxBody;
      const isWanted = !("problem" in authorized) && !tooLarge && underWay.refusal() === undefined;
      if (isWanted && !connection.closing) reply.writeContinue();
      // Without a "100 Continue" nobody knows whether the body comes: the connection ends with the refusal.
      else reply.shouldKeepAlive = false;
      onRequest(connection, request, reply);
    },
  };
}
