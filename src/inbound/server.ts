import type { Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Emit } from "../lib/events.ts";
import { createServer } from "../lib/node-http.ts";
import type { ConnectionRefused } from "../observe/events.ts";
import type { AcceptRequests } from "./accept.ts";
import { CallerRequest } from "./caller-request.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { ProtocolErrors } from "./reject.ts";
import type { AcceptFirst, SmallPieces } from "./turns.ts";

export interface HttpServerOptions {
  readonly unixSocket: boolean;
  /** The request's head must be complete after so many milliseconds… */
  readonly headTimeoutMs: number;
  /** …and all of it after so many. */
  readonly requestTimeoutMs: number;
  /** Connections that may be open on all servers together. */
  readonly mostConnections: number;
}

/** Where the connections that are open are kept, and who is told what comes on them. */
export interface HttpServerDeps extends AcceptRequests, ProtocolErrors {
  readonly open: Set<Connection>;
  /** One for all servers: the same event loop serves them. */
  readonly acceptFirst: AcceptFirst;
  /** One for all servers, too. */
  readonly smallPieces: SmallPieces;
  readonly emit: Emit<ConnectionRefused>;
}

/** Largest request head, bytes: longer than any that an app of ours sends, short enough to hold thousands. */
const maxHeadBytes = 16 * 1024;
/** Longer than common clients keep idle connections, so that they close first and lose no race. */
const keepAliveMs = 75_000;

/** A Node HTTP server with every limit said outright, and one `Connection` for each socket. */
export function createHttpServer(options: HttpServerOptions, deps: HttpServerDeps): Server {
  const connections = new WeakMap<Duplex, Connection>();
  const connectionOf = (socket: Duplex): Connection | undefined => connections.get(socket);

  const server = createServer({
    IncomingMessage: CallerRequest,
    insecureHTTPParser: false,
    // Our own check answers with a problem document.
    requireHostHeader: false,
    maxHeaderSize: maxHeadBytes,
    headersTimeout: options.headTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: 500,
    noDelay: true,
  });
  // Beyond Node's default of 2,000 fields the rest would be dropped in silence: a second Host, an Origin. The size bounds them.
  server.maxHeadersCount = 0;
  // A caller that has sent its request may close its side and still wants the reply; Node has no documented option for it.
  Object.assign(server, { httpAllowHalfOpen: true });

  const { acceptFirst } = deps;

  const listen =
    (then: (connection: Connection, request: CallerRequest, reply: ServerResponse) => void) =>
    (request: CallerRequest, reply: ServerResponse): void => {
      const connection = connectionOf(request.socket);
      request.smallPieces = deps.smallPieces;
      if (connection === undefined) request.socket.destroy();
      else if (acceptFirst.isHolding()) acceptFirst.hold(() => then(connection, request, reply));
      else then(connection, request, reply);
    };

  server.on("connection", (socket) => {
    if (deps.open.size >= options.mostConnections) {
      socket.destroy();
      deps.emit({ type: "connection-refused", most: options.mostConnections });
      return;
    }
    const connection = createConnection(socket, options.unixSocket);
    connections.set(socket, connection);
    deps.open.add(connection);
    acceptFirst.connected(deps.open.size);
    socket.on("close", () => {
      acceptFirst.flush();
      deps.open.delete(connection);
    });
    socket.on("end", () => {
      acceptFirst.flush();
      connection.halfClosed = true;
      for (const call of connection.calls) call.halfClosed();
    });
  });
  server.on("request", listen(deps.onRequest));
  server.on("checkContinue", listen(deps.onExpectContinue));
  server.on("checkExpectation", listen(deps.onExpectUnknown));
  server.on("connect", (_request, socket) => {
    acceptFirst.flush();
    const connection = connectionOf(socket);
    if (connection === undefined) socket.destroy();
    else deps.onConnectMethod(connection);
  });
  server.on("clientError", (error, socket) => {
    acceptFirst.flush();
    const connection = connectionOf(socket);
    if (connection === undefined || !(socket instanceof Socket)) socket.destroy();
    else deps.onClientError(connection, error);
  });
  return server;
}
