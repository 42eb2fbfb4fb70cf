import { createServer, type Server, type Socket } from "node:net";

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

/** Creates the listener, closed. */
export function createTcpListener(options: TcpListenerOptions): TcpListener {
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
