import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Server, TLSSocket, TlsOptions } from "node:tls";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import type { Authority, Certificate } from "../../src/sandbox/certificates.ts";

/** A request as it came over the wire, byte for byte. */
export interface WireRequest {
  readonly requestLine: string;
  /** `Name: value` lines, as they came. */
  readonly headerLines: readonly string[];
  readonly body: Buffer;
  /** Which connection it came on, counted from 1. */
  readonly connection: number;
  readonly socket: TLSSocket;
  /** The value of a field, whatever its letter case. */
  header(name: string): string | undefined;
}

export interface RawPresto {
  readonly port: number;
  readonly url: string;
  readonly authority: Authority;
  /** Every complete request so far. */
  readonly requests: readonly WireRequest[];
  /** Connections whose TLS handshake was done. */
  connections(): number;
  /** TCP connections that are open at this moment, whether or not TLS is up on them. */
  open(): number;
  /** All that came over each connection whose handshake was done, decrypted, complete requests or not. */
  wire(): readonly Buffer[];
  /** Presents another certificate (and other TLS options) on new connections. */
  present(certificate: Certificate, tls?: TlsOptions): void;
  /** What is done with each request from now on. */
  answer(script: (request: WireRequest) => void): void;
  /** What is done with each connection from now on, before anything is read from it. */
  greet(script: (socket: TLSSocket) => void): void;
  /** Ends a connection with a TCP reset. */
  reset(socket: TLSSocket): void;
  /** Ends a connection with a TCP FIN, without TLS's close_notify. */
  cut(socket: TLSSocket): void;
  close(): Promise<void>;
}

export interface RawPrestoOptions {
  readonly authority?: Authority;
  readonly certificate?: Certificate;
  readonly tls?: TlsOptions;
}

/** A complete answer, as bytes. */
export function httpAnswer(
  status: number,
  body = "{}",
  headers: readonly string[] = ["Content-Type: application/json"],
): string {
  return [`HTTP/1.1 ${status} X`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join(
    "\r\n",
  );
}

/**
 * A TLS server that reads requests by itself and answers with whatever bytes a test wants:
 * for answers, cuts and delays that no HTTP library would make.
 */
export async function startRawPresto(options: RawPrestoOptions = {}): Promise<RawPresto> {
  const authority = options.authority ?? (await createAuthority());
  const certificate = options.certificate ?? (await authority.issue());
  const requests: WireRequest[] = [];
  const sockets = new Set<TLSSocket>();
  const carriers = new Set<Socket>();
  const wire: Buffer[][] = [];
  let script = (request: WireRequest): void => {
    request.socket.write(httpAnswer(200));
  };
  let greeting = (_socket: TLSSocket): void => {};
  // A TLS socket does not show the TCP socket below it; it is the one with the same peer.
  const carrierOf = (socket: TLSSocket): Socket | undefined =>
    [...carriers].find((carrier) => carrier.remotePort === socket.remotePort);

  const server: Server = createServer(
    { cert: certificate.certPem, key: certificate.keyPem, ...options.tls },
    (socket) => {
      const bytes: Buffer[] = [];
      const connection = wire.push(bytes);
      sockets.add(socket);
      // Answers that are written in pieces would wait for the peer's acknowledgement, 40 ms each.
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
      greeting(socket);
      let pending: Buffer = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        bytes.push(chunk);
        pending = Buffer.concat([pending, chunk]);
        for (;;) {
          const read = readRequest(pending, connection, socket);
          if (read === undefined) return;
          pending = read.rest;
          requests.push(read.request);
          script(read.request);
        }
      });
    },
  );
  server.on("tlsClientError", () => {});
  server.on("connection", (socket: Socket) => {
    carriers.add(socket);
    socket.once("close", () => carriers.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  return {
    port,
    url: `https://localhost:${port}`,
    authority,
    requests,
    connections: () => wire.length,
    open: () => carriers.size,
    wire: () => wire.map((bytes) => Buffer.concat(bytes)),
    present(next, tls = {}) {
      server.setSecureContext({ cert: next.certPem, key: next.keyPem, ...options.tls, ...tls });
    },
    answer(next) {
      script = next;
    },
    greet(next) {
      greeting = next;
    },
    reset: (socket) => void carrierOf(socket)?.resetAndDestroy(),
    cut: (socket) => void carrierOf(socket)?.end(),
    close() {
      for (const socket of [...sockets, ...carriers]) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function readRequest(
  bytes: Buffer,
  connection: number,
  socket: TLSSocket,
): { request: WireRequest; rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [requestLine = "", ...headerLines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const header = (name: string): string | undefined => {
    const line = headerLines.find((candidate) =>
      candidate.toLowerCase().startsWith(`${name.toLowerCase()}:`),
    );
    return line?.slice(name.length + 1).trim();
  };
  const length = Number(header("content-length") ?? 0);
  const start = end + 4;
  if (bytes.length < start + length) return undefined;
  return {
    request: {
      requestLine,
      headerLines,
      body: bytes.subarray(start, start + length),
      connection,
      socket,
      header,
    },
    rest: bytes.subarray(start + length),
  };
}
