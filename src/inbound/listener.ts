import type { Server } from "node:http";

import type { Clock } from "../clock.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import type { BoundListener, ListenAddress } from "../listen/address.ts";
import { bindServer, isFamilyMissing } from "../listen/bind.ts";
import type { ConnectionRefused } from "../observe/events.ts";
import type { Operation } from "../policy/operations.ts";
import type { CallFinished, Perform } from "../upstream/call.ts";
import type { Limiter } from "../upstream/limiter.ts";
import { createAccept } from "./accept.ts";
import { createAuthorize } from "./authorize.ts";
import { readBody } from "./body.ts";
import {
  type CallsUnderWay,
  createCallsUnderWay,
  createSlowBodies,
  type SlowBodies,
} from "./calls-under-way.ts";
import type { Connection } from "./connection.ts";
import { createProtocolErrors, createRejectRequest } from "./reject.ts";
import { createProxyRoute } from "./route.ts";
import { createServeCall } from "./serve.ts";
import { createHttpServer, type HttpServerDeps } from "./server.ts";
import { createAcceptFirst, createSmallPieces } from "./turns.ts";

export interface ProxyListenerOptions {
  readonly origin: Origin;
  readonly listen: readonly ListenAddress[];
  readonly hosts: readonly string[];
  readonly operations: readonly Operation[];
  readonly maxBody: number;
  readonly timeoutMs: number;
  /** `traceparent` goes on to Presto. */
  readonly traceUpstream: boolean;
  /** Somebody makes spans of calls. */
  readonly isTraced: boolean;
  /** Callers' connections that may be open on all addresses together. */
  readonly mostConnections: number;
  readonly limiter: Limiter;
  readonly perform: Perform;
  readonly clock: Clock;
  readonly emit: Emit<CallFinished | ConnectionRefused | Warning>;
}

/** The listeners that apps talk to. */
export interface ProxyListener {
  /** Binds every address, but for those of a family that this machine lacks, as long as one is bound. @throws CommandError `system-refused` */
  start(): Promise<readonly ListenAddress[]>;
  /** From now on new calls get 503 `draining`, and connections close after their last reply. */
  refuseNew(): void;
  /** Calls that were accepted and are not over: those whose bodies still come, too. */
  underWay(): number;
  /** Resolves when no call is under way, or at `until` (monotonic milliseconds). */
  idle(until: number): Promise<"clean" | "cut-off">;
  /** Ends every call that is under way with what is known of it by `until` (monotonic milliseconds). */
  expireAll(until: number): void;
  /** Cuts off every call that is under way. */
  close(): Promise<void>;
  /** Reports every call that is not over yet with what is known of it: the process ends. */
  abandonAll(): void;
}

/** A head must be complete in this time, milliseconds (or in the whole request's, if that is less). */
const headTimeoutMs = 10_000;

export async function createProxyListener(options: ProxyListenerOptions): Promise<ProxyListener> {
  const connections = new Set<Connection>();
  const acceptFirst = createAcceptFirst(options.clock);
  const slowBodies = createSlowBodies(options.clock);
  const smallPieces = createSmallPieces(connections);
  const underWay = createCallsUnderWay({ limiter: options.limiter, slowBodies, clock: options.clock });
  const proxy = await createProxy(options, underWay, slowBodies);
  const servers: Server[] = [];
  const bound: BoundListener[] = [];

  return {
    async start() {
      const missing: unknown[] = [];
      for (const address of options.listen) {
        const server = createHttpServer(
          {
            unixSocket: address.kind === "unix",
            headTimeoutMs: Math.min(headTimeoutMs, options.timeoutMs),
            requestTimeoutMs: options.timeoutMs,
            mostConnections: options.mostConnections,
          },
          { ...proxy.handlers, open: connections, acceptFirst, smallPieces, emit: options.emit },
        );
        // One after the other: the first address that can't be had is the one that is told.
        try {
          bound.push(await bindServer(server, address));
          servers.push(server);
        } catch (error) {
          if (!isFamilyMissing(address, error)) throw error;
          missing.push(error);
        }
      }
      if (bound.length === 0 && missing.length > 0) throw missing[0];
      for (const cause of missing) {
        options.emit({
          type: "warning",
          message: "An address of PRESTO_LISTEN is of a family that this machine lacks, and is passed over.",
          cause,
        });
      }
      return bound.map((listener) => listener.address);
    },
    refuseNew: underWay.drain,
    underWay: underWay.count,
    idle: underWay.idle,
    expireAll(until) {
      for (const call of underWay.all()) call.expire(until);
    },
    abandonAll() {
      for (const call of underWay.all()) call.abandon();
    },
    async close() {
      underWay.drain();
      for (const call of underWay.all()) call.cutOff();
      await Promise.all(bound.map((listener) => listener.release()));
      await Promise.all(servers.map(closeServer));
      await proxy.close();
    },
  };
}

/** What a request goes through once its head has come, in the order of the request path: accept, route, body, perform, reply. */
async function createProxy(
  options: ProxyListenerOptions,
  underWay: CallsUnderWay,
  slowBodies: SlowBodies,
): Promise<{
  readonly handlers: Omit<HttpServerDeps, "open" | "acceptFirst" | "smallPieces" | "emit">;
  close(): Promise<void>;
}> {
  const { clock, emit, origin, operations, timeoutMs, maxBody } = options;
  const reject = createRejectRequest({ clock, emit });
  const serve = createServeCall({
    perform: options.perform,
    upstream: origin,
    clock,
    isLastReply: underWay.isDraining,
  });
  const { route, close } = await createProxyRoute({
    originUrl: origin.url,
    methods: [...new Set(operations.map((operation) => operation.method))],
    receive: (call, request, done) =>
      readBody(call, request, maxBody, (error) => (error === undefined ? done() : serve.refuse(call, error))),
    perform: serve.perform,
  });
  const accept = createAccept(
    { timeoutMs, maxBody },
    {
      authorize: createAuthorize({
        upstream: origin,
        hosts: options.hosts,
        operations,
        traceUpstream: options.traceUpstream,
      }),
      reject,
      underWay,
      route,
      call: { clock, emit, limiter: options.limiter, slowBodies, isTraced: options.isTraced },
    },
  );
  return { handlers: { ...accept, ...createProtocolErrors(reject) }, close };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
