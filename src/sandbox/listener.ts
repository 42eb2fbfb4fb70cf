import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";

import type { Admittance } from "./admission.ts";
import type { Authority, Certificate } from "./certificates.ts";
import type { Call } from "./endpoints.ts";
import type { RequestEffect } from "./fault.ts";
import { type AnswerMeans, type FaultBook, replacement, writeAnswer } from "./faults.ts";
import { messageReply, type Reply } from "./http.ts";
import type { Journal } from "./journal.ts";
import { createPresentedCertificates } from "./presented-certificates.ts";

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
export interface TcpDoor {
  /** Resolves with the port. Rejects with a {@link ListenError}. */
  open(): Promise<number>;
  /** The connection that a socket, or TLS on top of it, belongs to. */
  find(socket: Pick<Socket, "localAddress" | "remoteAddress" | "remotePort">): Connection | undefined;
  /** Closes the connections that no request is using. */
  closeIdle(): void;
  /** Stops listening and cuts every connection; resolves when none is left. */
  close(): Promise<void>;
}

/** What a door does with who comes. */
export interface TcpDoorOptions {
  /** `localhost` (127.0.0.1, and ::1 where the machine has it) or one loopback address. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Number for the next connection. */
  readonly nextNumber: () => number;
  readonly onConnection: (connection: Connection) => void;
}

/** A port could not be had. `code` is the system's: `EADDRINUSE`, `EACCES`… */
export class ListenError extends Error {
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

/** Creates a door, closed. */
export function createTcpDoor(options: TcpDoorOptions): TcpDoor {
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

/** What the listener serves with. */
export interface PrestoListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly authority: Authority;
  readonly certificate: Certificate;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  readonly admittance: Admittance;
  readonly faults: FaultBook;
  readonly journal: Journal;
  /** Executes a request that was read whole. */
  readonly act: (call: Call) => Reply;
}

/** Creates the listener, closed. */
export function createPrestoListener(options: PrestoListenerOptions): PrestoListener {
  const { admittance, faults, journal } = options;
  const closing = new AbortController();

  const presented = createPresentedCertificates({
    ...options,
    onMalformed: () => journal.refused(),
    onRequest(request, response) {
      const connection = door.find(request.socket);
      // Gone between its bytes and our reading them.
      if (connection === undefined) {
        request.socket.destroy();
        return;
      }
      connection.busy += 1;
      // Writing to a client that has gone is no error of ours.
      response.on("error", () => {});
      response.once("close", () => (connection.busy -= 1));
      void serve(request, response, connection);
    },
  });

  const door = createTcpDoor({
    host: options.host,
    port: options.port,
    nextNumber: () => journal.connected(),
    onConnection: (connection) => void greet(connection),
  });

  async function greet({ socket, address }: Connection): Promise<void> {
    const strike = admittance.resets(address) ? undefined : faults.takeForConnection();
    const kind = strike?.effect.kind;
    if (kind === "stall-at-connect") await strike?.removed;
    if (admittance.resets(address) || kind === "reset-at-connect" || kind === "stall-at-connect") {
      socket.resetAndDestroy();
    } else {
      const server = await presented.serverFor(strike?.effect);
      // A bad certificate takes a moment to make: the client, or the sandbox, may have gone.
      if (!socket.destroyed) server.emit("connection", socket);
    }
  }

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
  ): Promise<void> {
    const { method = "", url = "" } = request;
    const [path = ""] = url.split("?", 1);
    journal.counted(method, path);
    const refusal = admittance.refusal(connection.address);
    const strike = refusal === undefined ? faults.takeForRequest(method, path) : undefined;
    const effect = strike?.effect;
    if (effect?.kind === "reset-before-reading") return void connection.socket.resetAndDestroy();

    const body = await readBody(request);
    if (body === "cut") return;
    const means: AnswerMeans = { wait, reset: () => connection.socket.resetAndDestroy() };
    if (body === "too-large")
      return writeAnswer(response, messageReply(413, "Payload Too Large"), undefined, means);
    journal.received({
      method,
      target: url,
      rawHeaders: request.rawHeaders,
      body,
      address: connection.address,
      connection: connection.number,
    });
    if (refusal !== undefined) return writeAnswer(response, refusal, undefined, means);

    if (effect?.kind === "hold" && effect.acts !== true) await strike?.removed;
    if (closing.signal.aborted) return;
    const reply = answer(effect, {
      method,
      path,
      authorization: request.headersDistinct["authorization"] ?? [],
      contentType: request.headers["content-type"],
      body,
    });
    if (effect?.kind === "hold" && effect.acts === true) await strike?.removed;
    // After a handshake fault was set, no connection from before may be used again.
    if (faults.awaitsConnection()) response.setHeader("connection", "close");
    await writeAnswer(response, reply, effect, means);
  }

  function answer(effect: RequestEffect | undefined, call: Call): Reply {
    const instead = replacement(effect);
    const { acts = false } = effect !== undefined && "acts" in effect ? effect : {};
    if (effect?.kind === "reset-before-acting")
      return messageReply(500, "Never sent: the connection is reset.");
    if (instead === undefined) return options.act(call);
    if (acts) options.act(call);
    return instead;
  }

  function wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        closing.signal.removeEventListener("abort", stop);
        resolve(true);
      }, ms);
      const stop = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      closing.signal.addEventListener("abort", stop, { once: true });
    });
  }

  return {
    open: () => door.open(),
    closeIdle: () => door.closeIdle(),
    async close() {
      closing.abort();
      faults.clear();
      await door.close();
    },
  };
}

/** The body; `cut` if the connection ended before it did. One that is too large is read to its end, and dropped. */
async function readBody(request: IncomingMessage): Promise<Buffer | "cut" | "too-large"> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue;
      length += chunk.length;
      if (length > largestBody) chunks.length = 0;
      else chunks.push(chunk);
    }
  } catch {
    return "cut";
  }
  return length > largestBody ? "too-large" : Buffer.concat(chunks);
}
