import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

import { atEndOfTurn } from "../clock.ts";
import type { Emit, Warning } from "../lib/events.ts";
import { readOn, stopReading } from "../lib/node-http.ts";

/** A server that is to be bound by `listen/bind.ts`. */
export interface BoundableServer {
  readonly server: Server;
  /** Stops listening and ends all connections, also those that are being answered. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly emit: Emit<Warning>;
  /** That may be open at once: what a process has descriptors for. Probes, scrapers and people need a handful; 128 unless given. */
  readonly mostConnections?: number;
  /** Judged before anything else, on every path. */
  readonly methods: readonly string[];
  /** Paths that have others than that. */
  readonly methodsAt?: ReadonlyMap<string, readonly string[]>;
  /** Why a request may not act, in one sentence; undefined if it may. Judged second, on every path. */
  readonly objection?: (request: FastifyRequest) => string | undefined;
  /** Adds the routes. Their paths are one or two segments of lower-case letters; whatever else is asked for is not found. */
  readonly routes: (app: FastifyInstance) => void;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** A request here is a line and a few headers. */
const headBytes = 8 * 1024;
const requestMs = 5000;
const idleMs = 10_000;
const checkEveryMs = 2000;
const requestsPerConnection = 1000;

/** No decoding and no normalising, as routers do: a path is one of ours byte for byte, or none. */
const plainPath = /^\/(?:[a-z]+(?:\/[a-z]+)?)?(?:\?|$)/;

/**
 * A Fastify instance for listeners that answer little: explicit limits, no bodies, JSON
 * errors, no store, nothing from a request in a reply. (A bare node:http server in its place
 * saves less than 0.3 MiB and 2 ms of the start once Fastify is loaded for the proxy: measured.)
 */
export async function createServer({
  emit,
  mostConnections = 128,
  methods,
  methodsAt,
  objection,
  routes,
}: ServerOptions): Promise<BoundableServer> {
  const allow = methods.join(", ");
  const methodsOf = ({ url }: FastifyRequest): readonly string[] =>
    methodsAt?.get(url.split("?", 1)[0] ?? "") ?? methods;
  const app = createLimitedApp();
  const open = openConnections(app.server);
  const bodies = createBodyStop(open);
  app.addHook("onRequest", (request, reply, next) => {
    reply.headers({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
    const refusal = refusalOf(request, methodsOf(request), objection);
    if (hasBody(request)) bodies.came(request.raw.socket);
    if (refusal === undefined) {
      // Some clients name the type of the body that they don't send; Fastify would judge it.
      delete request.headers["content-type"];
      next();
      return;
    }
    // Its body, if it has one, is not read.
    reply.header("connection", "close");
    if (refusal.status === 405) reply.header("allow", methodsOf(request).join(", "));
    refuse(reply, refusal.status, refusal.code, refusal.detail);
  });
  app.setNotFoundHandler((_request, reply) =>
    refuse(reply, 404, "not-found", "There is nothing at this path."),
  );
  app.setErrorHandler((error, _request, reply) => {
    const message = "A request on the admin or control listener failed inside the sidecar.";
    emit({ type: "warning", message, cause: error });
    refuse(reply, 500, "internal-error", "The sidecar failed; its log says where.");
  });
  routes(app);
  await app.ready();

  const { server } = app;
  limitConnections(server, open, mostConnections);
  // Without a listener Node drops the connection unanswered.
  server.on("connect", (_request, socket) => refuseTunnel(socket, allow));
  return {
    server,
    async close() {
      server.close();
      server.closeAllConnections();
      await app.close();
    },
  };
}

function createLimitedApp(): FastifyInstance {
  return Fastify({
    logger: false,
    connectionTimeout: idleMs,
    keepAliveTimeout: idleMs,
    requestTimeout: requestMs,
    maxRequestsPerSocket: requestsPerConnection,
    bodyLimit: 1,
    http: {
      maxHeaderSize: headBytes,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkEveryMs,
      insecureHTTPParser: false,
    },
    rewriteUrl: ({ url = "" }) => (plainPath.test(url) ? url : "/-"),
  });
}

/** Why a request is refused before its route is looked for; undefined if it is not. */
function refusalOf(
  request: FastifyRequest,
  methods: ServerOptions["methods"],
  objection: ServerOptions["objection"],
): Refusal | undefined {
  if (!methods.includes(request.method)) {
    return {
      status: 405,
      code: "method-not-allowed",
      detail: `The methods of this path are ${methods.join(", ")}; use one of them.`,
    };
  }
  const detail = objection?.(request);
  if (detail !== undefined) return { status: 403, code: "forbidden", detail };
  if (hasBody(request))
    return { status: 400, code: "bad-request", detail: "No request here has a body; send none." };
  return undefined;
}

/** Replies with an error as these listeners have it: a code that never changes, and a sentence. */
export function refuse(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  return reply.code(status).send({ code, detail });
}

/**
 * Lets the answer to this request take `ms` longer than a connection may be idle. Node counts
 * a connection whose request is being answered as idle, and would end it. From the next
 * request on, the usual time holds again: Node sets it anew when a reply is out.
 */
export function allowTime(request: FastifyRequest, ms: number): void {
  request.raw.socket.setTimeout(idleMs + ms);
}

function hasBody(request: FastifyRequest): boolean {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  return coding !== undefined || (length !== undefined && length !== "0");
}

/** Of a server, in the order in which they came. */
function openConnections(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return open;
}

/**
 * Over the limit the *oldest* connection goes, not the new one (as `maxConnections` would have
 * it): who opens connections and says nothing must not keep a liveness probe out, or the pod
 * is restarted in the middle of its calls.
 */
function limitConnections(server: Server, open: ReadonlySet<Socket>, mostConnections: number): void {
  server.on("connection", () => {
    const [oldest] = open;
    if (open.size > mostConnections) oldest?.destroy();
  });
}

/**
 * Nothing of a body is wanted here, and none is read on: the reply that refuses it is the connection's last. But what
 * came in one read with its head is parsed all the same, and may be ten thousand chunks of a byte, which take 30 ms.
 * So a turn of the event loop reads one such request, and calls are served between two of them.
 */
function createBodyStop(open: ReadonlySet<Socket>): { came(socket: Socket): void } {
  let waiting: readonly Socket[] | undefined;

  return {
    came(socket) {
      stopReading(socket);
      // Node reads on when it has replied.
      socket.on("resume", () => stopReading(socket));
      if (waiting !== undefined) return;
      waiting = [...open].filter((other) => other !== socket);
      for (const other of waiting) stopReading(other);
      atEndOfTurn(() => {
        for (const other of waiting ?? []) readOn(other);
        waiting = undefined;
      });
    },
  };
}

function refuseTunnel(socket: Duplex, allow: string): void {
  // Node takes its own listeners off a socket that it hands over.
  socket.on("error", () => {});
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 405 Method Not Allowed\r\nAllow: ${allow}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  );
}
