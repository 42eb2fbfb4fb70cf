import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

import type { Certificate } from "../../src/sandbox/certificates.ts";

/** What a connection to a gateway is done with, byte for byte. */
export type GatewayScript = (client: Socket) => void;

/** A server that plays an egress proxy. It listens on 127.0.0.1. */
export interface LoopbackGateway {
  readonly port: number;
  /** Connections that it was given so far. */
  connections(): number;
  /** TCP connections that are open at this moment. */
  open(): number;
  /** All that came over each connection (of TLS, what was in it). */
  received(): readonly Buffer[];
  close(): Promise<void>;
}

/** Starts a gateway that follows a script; with a certificate, over TLS. */
export async function startGateway(
  script: GatewayScript,
  certificate?: Certificate,
): Promise<LoopbackGateway> {
  const received: Buffer[][] = [];
  const carriers = new Set<Socket>();
  const meet = (client: Socket): void => {
    const bytes: Buffer[] = [];
    received.push(bytes);
    client.on("error", () => {});
    client.on("data", (chunk: Buffer) => void bytes.push(chunk));
    script(client);
  };
  const server: Server =
    certificate === undefined
      ? createServer(meet)
      : createTlsServer({ cert: certificate.certPem, key: certificate.keyPem }, meet);
  server.on("connection", (socket: Socket) => {
    carriers.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => carriers.delete(socket));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => received.length,
    open: () => carriers.size,
    received: () => received.map((bytes) => Buffer.concat(bytes)),
    close() {
      for (const socket of carriers) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Calls `meet` with all that came, each time that more did, until it answers true. */
export function untilMet(client: Socket, meet: (bytes: Buffer) => boolean): void {
  let bytes: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (meet(bytes)) client.off("data", onData);
  };
  client.on("data", onData);
}

/** Joins a client to a server on 127.0.0.1, whatever name the client asked for: this side resolves it. */
export function joinTo(client: Socket, port: number): void {
  const server = connect({ host: "127.0.0.1", port });
  server.on("error", () => client.destroy());
  client.on("close", () => server.destroy());
  server.on("close", () => client.destroy());
  client.pipe(server);
  server.pipe(client);
}

/** An HTTP proxy that answers CONNECT: with these bytes, and then, where a port is given, with what is there. */
export function connectProxy(answer: string | Buffer, port?: number): GatewayScript {
  return (client) =>
    untilMet(client, (bytes) => {
      if (!bytes.includes("\r\n\r\n")) return false;
      client.write(answer);
      if (port !== undefined) joinTo(client, port);
      return true;
    });
}

export interface SocksAnswers {
  /** To the greeting. */
  readonly method?: readonly number[];
  /** To user and password. */
  readonly login?: readonly number[];
  /** To the request. */
  readonly reply?: readonly number[];
  /** Where it then leads. */
  readonly port?: number;
}

/** A success: `succeeded`, bound to 0.0.0.0:0 (RFC 1928 section 6). */
export const socksSuccess = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0] as const;

/** A SOCKS5 proxy that takes one message after the other, and answers each with what it was given. */
export function socksProxy(answers: SocksAnswers): GatewayScript {
  const { method = [5, 0], login = [1, 0], reply = socksSuccess, port } = answers;
  return (client) => {
    const steps = [method, ...(method[1] === 2 ? [login] : []), reply];
    let step = 0;
    const onData = (): void => {
      client.write(Buffer.from(steps[step] ?? []));
      step += 1;
      if (step < steps.length) return;
      client.off("data", onData);
      if (port !== undefined) joinTo(client, port);
    };
    client.on("data", onData);
  };
}
