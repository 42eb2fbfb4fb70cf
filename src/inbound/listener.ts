import { randomUUID } from "node:crypto";
import type { Server, ServerResponse } from "node:http";

import type { Clock } from "../clock.ts";
import { Problem, systemCode } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import type { BoundListener, ListenAddress } from "../listen/address.ts";
import { bindServer } from "../listen/bind.ts";
import type { Operation } from "../policy/operations.ts";
import type { CallFinished } from "../upstream/call.ts";
import { type Limiter, overloaded } from "../upstream/limiter.ts";
import type { Reconcile } from "../upstream/reconcile.ts";
import type { Perform } from "../upstream/with-token.ts";
import { createAuthorize } from "./authorize.ts";
import { closeAfterLast, type Connection } from "./connection.ts";
import { createRejectRequest, toClientProblem } from "./reject.ts";
import { type CallerRequest, InboundCall, readBody } from "./request.ts";
import { createProxyRoute } from "./route.ts";
import { createServeCall } from "./serve.ts";
import { createHttpServer, type HttpServerOptions } from "./server.ts";

export interface ProxyListenerOptions {
  readonly origin: Origin;
  readonly listen: readonly ListenAddress[];
  readonly hosts: readonly string[];
  readonly operations: readonly Operation[];
  readonly maxBody: number;
  readonly timeoutMs: number;
  readonly admission: Limiter;
  readonly perform: Perform;
  readonly askTransaction: Reconcile;
  readonly clock: Clock;
  readonly emit: Emit<CallFinished>;
}

/** The listeners that apps talk to. */
export interface ProxyListener {
  /** Binds every address. @throws CommandError `system-refused` */
  start(): Promise<readonly ListenAddress[]>;
  /** From now on new calls get 503 `draining`, and connections close after their last reply. */
  refuseNew(): void;
  /** Resolves when no call is under way, or at `until` (monotonic milliseconds). */
  idle(until: number): Promise<"clean" | "cut-off">;
  /** Ends every call that is under way with what is known of it by `until` (monotonic milliseconds). */
  expireAll(until: number): void;
  close(): Promise<void>;
}

/** A head must be complete in this time, milliseconds (or in the whole request's, if that is less). */
const headTimeoutMs = 10_000;
/** How much of a money call's time is kept back to ask what became of it, at most, milliseconds. */
const reserveMaxMs = 2_000;

export async function createProxyListener(options: ProxyListenerOptions): Promise<ProxyListener> {
  const { admission, clock, emit } = options;
  const judge = createAuthorize({
    upstream: options.origin,
    hosts: options.hosts,
    operations: options.operations,
  });
  const refuse = createRejectRequest({ clock, emit });
  const connections = new Set<Connection>();
  let underWay = 0;
  let whenIdle: (() => void) | undefined;
  let draining = false;

  const serve = createServeCall({
    perform: options.perform,
    askTransaction: options.askTransaction,
    upstream: options.origin,
    clock,
    isLastReply: () => draining,
  });
  const proxy = await createProxyRoute({
    originUrl: options.origin.url,
    methods: [...new Set(options.operations.map((operation) => operation.method))],
    receive: (call, request, done) =>
      readBody(call, request, options.maxBody, (error) =>
        error === undefined ? done() : serve.refuse(call, error),
      ),
    perform: serve.perform,
  });
  const callParts = {
    clock,
    admission,
    emit,
    onOver() {
      underWay -= 1;
      if (underWay === 0) whenIdle?.();
    },
  };

  function refusal(): Problem | undefined {
    if (draining)
      return new Problem("draining", {
        detail: "this sidecar is shutting down; send to another, or again soon",
        retryAfter: 1,
      });
    return admission.isFull(underWay) ? overloaded() : undefined;
  }

  function onRequest(connection: Connection, request: CallerRequest, response: ServerResponse): void {
    // RFC 9112 section 9.6: nothing more is served on a connection that was told to close.
    if (connection.closing) {
      request.resume();
      return;
    }
    if (draining) response.shouldKeepAlive = false;
    const judged = judge(request, connection.unixSocket);
    if ("problem" in judged) {
      refuse.withResponse(connection, request, response, judged);
      return;
    }
    const problem = refusal();
    if (problem !== undefined) {
      refuse.withResponse(connection, request, response, { requestId: judged.requestId, problem });
      return;
    }
    const reserveMs =
      judged.operation.reconcile === undefined ? 0 : Math.min(reserveMaxMs, options.timeoutMs / 10);
    const call = new InboundCall(
      judged,
      connection,
      response,
      { timeoutMs: options.timeoutMs, reserveMs },
      callParts,
    );
    underWay += 1;
    proxy.route(call, request, response);
  }

  function onClientError(connection: Connection, error: Error): void {
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
      refuse.onSocket(connection, { requestId: randomUUID(), problem });
      return;
    }
    // What came after a request that is under way must not answer for it: a 400 "not-sent" would be a lie about money.
    connection.closing = true;
  }

  function serverOptions(address: ListenAddress): HttpServerOptions {
    return {
      open: connections,
      unixSocket: address.kind === "unix",
      headTimeoutMs: Math.min(headTimeoutMs, options.timeoutMs),
      requestTimeoutMs: options.timeoutMs,
      onRequest,
      onExpectContinue(connection, request, response) {
        const judged = judge(request, connection.unixSocket);
        const tooLarge = Number(request.headers["content-length"] ?? 0) > options.maxBody;
        if (!("problem" in judged) && !tooLarge && refusal() === undefined && !connection.closing)
          response.writeContinue();
        // Without a "100 Continue" nobody knows whether the body comes: the connection ends with the refusal.
        else response.shouldKeepAlive = false;
        onRequest(connection, request, response);
      },
      onExpectUnknown(connection, request, response) {
        const problem = new Problem("bad-request", {
          detail: "the Expect field names something else than 100-continue; leave it out",
        });
        response.shouldKeepAlive = false;
        refuse.withResponse(connection, request, response, { requestId: randomUUID(), problem });
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
        refuse.onSocket(connection, { requestId: randomUUID(), problem });
      },
      onClientError,
    };
  }

  const servers: Server[] = [];
  const bound: BoundListener[] = [];

  return {
    async start() {
      for (const address of options.listen) {
        const server = createHttpServer(serverOptions(address));
        // One after the other: the first address that can't be had is the one that is told.
        bound.push(await bindServer(server, address));
        servers.push(server);
      }
      return bound.map((listener) => listener.address);
    },
    refuseNew() {
      draining = true;
    },
    idle(until) {
      return new Promise((resolve) => {
        const timer = clock.after(until - clock.monotonic(), () => resolve("cut-off"));
        whenIdle = () => {
          timer.cancel();
          resolve("clean");
        };
        if (underWay === 0) whenIdle();
      });
    },
    expireAll(until) {
      for (const { calls } of connections) for (const call of calls.slice()) call.expire(until);
    },
    async close() {
      draining = true;
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeAllConnections();
            }),
        ),
      );
      for (const listener of bound) listener.release();
      await proxy.close();
    },
  };
}
