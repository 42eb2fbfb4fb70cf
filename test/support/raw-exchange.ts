import { connect } from "node:net";

/** Where a server listens: a port on 127.0.0.1, or the path of a Unix socket. */
export type Place = number | string;

/**
 * Sends bytes as they are, and answers all that comes back until the server ends the connection.
 * An HTTP client would correct what these tests want to be wrong.
 */
export function rawExchange(place: Place, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = typeof place === "number" ? connect(place, "127.0.0.1") : connect(place);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    // A server that refuses bytes which it has not read resets the connection; what it said before that counts.
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.write(bytes);
  });
}

/** The same for a request of lines; `Connection: close` is added, so that the exchange ends. */
export function rawRequest(place: Place, ...head: readonly string[]): Promise<string> {
  return rawExchange(place, `${[...head, "Connection: close"].join("\r\n")}\r\n\r\n`);
}

export function statusOf(reply: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(reply)?.[1]);
}
