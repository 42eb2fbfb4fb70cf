import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";

import {
  type Authority,
  type Certificate,
  createPresentedCertificates,
  type PresentedCertificates,
} from "./certificates.ts";
import type { Call } from "./endpoints.ts";
import type { RequestEffect } from "./fault-kinds.ts";
import { type AnswerDeps, elapses, type Faults, replacement, writeAnswer } from "./faults.ts";
import { messageReply, readBytes, type Reply } from "./http.ts";
import type { IpFilter } from "./ip-filter.ts";
import type { Journal } from "./journal.ts";

const largestBody = 10 * 1024 * 1024;

/** Presto's side: HTTPS on loopback, with faults. */
export interface PrestoListener {
  /** Resolves with the port. Rejects with a ListenError. */
  open(): Promise<number>;
  /** Closes the connections that no request is using, so that the next one needs a handshake. */
  closeIdle(): void;
  /** Cuts every connection and drops what was waiting; resolves when nothing is left. */
  close(): Promise<void>;
}

export interface PrestoListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly authority: Authority;
  readonly certificate: Certificate;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
}

/** What the listener serves with. */
export interface PrestoListenerDeps {
  readonly ipFilter: IpFilter;
  readonly faults: Faults;
  readonly journal: Journal;
  /** Executes a request that was read whole. */
  readonly act: (call: Call) => Reply;
  /** Wall clock of the stand-in, milliseconds since 1970: its answers name it, as they do the dates of its tokens. */
  readonly now: () => number;
}

/** Creates the listener, closed. */
export function createPrestoListener(
  options: PrestoListenerOptions,
  deps: PrestoListenerDeps,
): PrestoListener {
  const { faults, journal } = deps;
  const closing = new AbortController();

  const presented = createPresentedCertificates({
    ...options,
    onMalformed: () => journal.refused(),
    onRequest(request, response) {
      const connection = listener.find(request.socket);
      // Gone between its bytes and our reading them.
      if (connection === undefined) {
        request.socket.destroy();
        return;
      }
      connection.busy += 1;
      // Writing to a client that has gone is no error of ours.
      response.on("error", () => {});
      response.once("close", () => (connection.busy -= 1));
      void serve({ request, response, connection, closing: closing.signal }, deps);
    },
  });

  const listener = createTcpListener({
    host: options.host,
    port: options.port,
    nextNumber: () => journal.connected(),
    onConnection: (connection) => void greet(connection, presented, deps),
  });

  return {
    open: () => listener.open(),
    closeIdle: () => listener.closeIdle(),
    async close() {
      closing.abort();
      faults.clear();
      await listener.close();
    },
  };
}

/** Resets a new connection, or hands it to the server with the certificate that it is to see. */
async function greet(
  { socket, address }: Connection,
  presented: PresentedCertificates,
  { ipFilter, faults }: PrestoListenerDeps,
): Promise<void> {
  const strike = ipFilter.resets(address) ? undefined : faults.takeForConnection();
  const kind = strike?.effect.kind;
  if (kind === "stall-at-connect") await strike?.removed;
  if (ipFilter.resets(address) || kind === "reset-at-connect" || kind === "stall-at-connect") {
    socket.resetAndDestroy();
    return;
  }
  const server = await presented.serverFor(strike?.effect);
  // A bad certificate takes a moment to make: the client, or the sandbox, may have gone.
  if (!socket.destroyed) server.emit("connection", socket);
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly closing: AbortSignal;
}

async function serve(
  exchange: Exchange,
  { ipFilter, faults, journal, act, now }: PrestoListenerDeps,
): Promise<void> {
  const { request, response, connection, closing } = exchange;
  const { method = "", url = "" } = request;
  const [path = ""] = url.split("?", 1);
  journal.counted(method, path);
  response.setHeader("date", new Date(now()).toUTCString());
  const refusal = ipFilter.refusal(connection.address);
  const [requestId] = request.headersDistinct["x-request-id"] ?? [];
  const strike = refusal === undefined ? faults.takeForRequest({ method, path, requestId }) : undefined;
  const effect = strike?.effect;
  const answering: AnswerDeps = { reset: () => connection.socket.resetAndDestroy(), closing };
  if (effect?.kind === "reset-before-reading") return answering.reset();

  const body = await readBytes(request, largestBody);
  if (body === "cut") return;
  if (body === "too-large")
    return writeAnswer(response, messageReply(413, "Payload Too Large"), undefined, answering);
  journal.received({
    method,
    target: url,
    rawHeaders: request.rawHeaders,
    body,
    address: connection.address,
    connection: connection.number,
  });
  if (refusal !== undefined) return writeAnswer(response, refusal, undefined, answering);

  const actsFirst = effect?.kind === "hold" && effect.acts === true;
  if (effect?.kind === "hold" && !actsFirst) await strike?.removed;
  if (closing.aborted) return;
  const call = {
    method,
    path,
    authorization: request.headersDistinct["authorization"] ?? [],
    contentType: request.headers["content-type"],
    body,
  };
  const reply = answer(effect, call, { act, closing });
  if (actsFirst) await strike?.removed;
  // After a handshake fault was set, no connection from before may be used again.
  if (faults.awaitsConnection()) response.setHeader("connection", "close");
  await writeAnswer(response, reply, effect, answering);
}

interface AnswerParts extends Pick<PrestoListenerDeps, "act"> {
  readonly closing: AbortSignal;
}

/** Presto's own answer, or the one that a fault puts in its place, whether or not the call is executed. */
function answer(effect: RequestEffect | undefined, call: Call, { act, closing }: AnswerParts): Reply {
  if (effect?.kind === "reset-before-acting")
    return messageReply(500, "Never sent: the connection is reset.");
  const instead = replacement(effect);
  if (instead === undefined) return act(call);
  if (effect !== undefined && "acts" in effect && effect.acts) {
    const afterMs = "actsAfterMs" in effect ? (effect.actsAfterMs ?? 0) : 0;
    if (afterMs === 0) act(call);
    // A gateway has given up, and what stands behind it has not.
    else void elapses(afterMs, closing).then((isOver) => isOver && act(call));
  }
  return instead;
}

/** A TCP connection that came in. */
export interface Connection {
  readonly number: number;
  readonly socket: Socket;
  /** Address of the peer. */
  readonly address: string;
  /** Requests on it that have no complete answer yet. */
  busy: number;
}

/** Listens on loopback addresses, all on one port, and keeps track of every connection. */
export interface TcpListener {
  /** Resolves with the port. Rejects with a {@link ListenError}. */
  open(): Promise<number>;
  /** The connection that a socket, or TLS on top of it, belongs to. */
  find(socket: Pick<Socket, "localAddress" | "remoteAddress" | "remotePort">): Connection | undefined;
  /** Closes the connections that no request is using. */
  closeIdle(): void;
  /** Stops listening and cuts every connection; resolves when none is left. */
  close(): Promise<void>;
}

/** Where to listen, and what to do with who comes. */
export interface TcpListenerOptions {
  /** `localhost` (127.0.0.1, and ::1 where the machine has it) or one loopback address. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Number for the next connection. */
  readonly nextNumber: () => number;
  readonly onConnection: (connection: Connection) => void;
}

/** A port could not be had. `code` is the system's: `EADDRINUSE`, `EACCES`… */
class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Is it a host that never leaves this machine? */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(host);
}

/** Creates the listener, closed. */
function createTcpListener(options: TcpListenerOptions): TcpListener {
  const { host } = options;
  const connections = new Map<string, Connection>();
  let servers: Server[] = [];

  const onSocket = (socket: Socket): void => {
    const key = keyOf(socket);
    const connection = { number: options.nextNumber(), socket, address: socket.remoteAddress ?? "", busy: 0 };
    connections.set(key, connection);
    // A peer that resets is the daily bread of a sandbox with faults.
    socket.on("error", () => {});
    socket.on("close", () => connections.delete(key));
    options.onConnection(connection);
  };
  const listenOn = async (address: string, port: number): Promise<number> => {
    const server = createServer({ noDelay: true }, onSocket);
    const bound = await listen(server, address, port);
    servers.push(server);
    return bound;
  };
  const close = async (): Promise<void> => {
    const closed = servers.map(stop);
    servers = [];
    for (const { socket } of connections.values()) socket.destroy();
    await Promise.all(closed);
  };

  return {
    async open() {
      if (host !== "localhost") return listenOn(host, options.port);
      // A free port of 127.0.0.1 may be taken on ::1: then another one is tried.
      for (let tries = 1; ; tries += 1) {
        const port = await listenOn("127.0.0.1", options.port);
        try {
          await listenOn("::1", port);
          return port;
        } catch (error) {
          const code = error instanceof ListenError ? error.code : "";
          if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") return port;
          await close();
          if (code !== "EADDRINUSE" || options.port !== 0 || tries === 5) throw error;
        }
      }
    },
    find: (socket) => connections.get(keyOf(socket)),
    closeIdle() {
      for (const connection of connections.values()) if (connection.busy === 0) connection.socket.destroy();
    },
    close,
  };
}

function keyOf(socket: Pick<Socket, "localAddress" | "remoteAddress" | "remotePort">): string {
  return `${socket.localAddress} ${socket.remoteAddress} ${socket.remotePort}`;
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Listens, and resolves with the port; rejects with a {@link ListenError} that says what to do. */
export function listen(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? "";
      const what =
        code === "EADDRINUSE"
          ? `Port ${port} of ${address} is in use. Give another port, or none: then a free one is chosen.`
          : `Port ${port} of ${address} can't be listened on (${code}). Give another port, or none: then a free one is chosen.`;
      reject(new ListenError(code, what, error));
    });
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
