// A program: Presto behind a list of registered addresses, and two servers that tell callers their address, each on
// port 443 of an address of its own. What it has seen is told on stdout, a line of JSON each; orders come on stdin.
// node test/support/guarded-presto.ts CERTIFICATE KEY
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

/** What becomes of who is not registered; the API's documentation leaves it open. */
export type Refusal = "json" | "page" | "reset";

/** What a server says that is asked for the caller's address: the truth, an address that is nobody's, or nothing. */
export type Witness = "honest" | "lying" | "down";

/** What is asked of the program. */
export interface GuardOrder {
  readonly refusal: Refusal;
  readonly witnesses: readonly [Witness, Witness];
}

/**
 * What Presto has seen. `kind`: a call that carries a token, a `knock` that carries none, or a
 * `connection` that was reset before anything of it was read.
 */
export interface Seen {
  readonly kind: "call" | "knock" | "connection";
  readonly from: string;
}

export const guardAddresses = { presto: "10.77.0.1", witnesses: ["10.77.0.11", "10.77.0.12"] } as const;
export const registeredAddress = "10.77.9.1";
/** What a lying witness says. */
export const madeUpAddress = "203.0.113.9";
/** A call that Presto turns away with 403 for what it asks. */
export const forbiddenReference = "T-FORBIDDEN";

let begun = 0;

/** Each top-up has a reference of its own: one that was paid is not paid again. */
function transaction(path: string, body: Buffer): string {
  const last = path.split("/").at(-1);
  let reference: unknown = last;
  if (last === "init") reference = `T-${(begun += 1)}`;
  else if (last === "confirm") reference = JSON.parse(body.toString())?.transaction_reference;
  const status = last === "init" ? "pending" : "completed";
  return JSON.stringify({ data: { transaction_reference: reference, status } });
}

if (process.argv[1] === import.meta.filename) run();

function run(): void {
  const [, , certificate = "", key = ""] = process.argv;
  const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
  let order: GuardOrder = { refusal: "json", witnesses: ["honest", "honest"] };

  const isStrange = (socket: Socket): boolean => socket.remoteAddress !== registeredAddress;
  const tell = (kind: Seen["kind"], { remoteAddress: from = "" }: Socket): void =>
    void process.stdout.write(`${JSON.stringify({ kind, from } satisfies Seen)}\n`);

  /** @param admits whether a connection may go on to TLS */
  function listen(address: string, admits: (socket: Socket) => boolean, answer: RequestListener): void {
    const https = createHttps({ ...tls, keepAliveTimeout: 60_000 }, answer);
    https.on("tlsClientError", () => {});
    createServer((socket) => {
      socket.on("error", () => {});
      if (admits(socket)) https.emit("connection", socket);
      else socket.resetAndDestroy();
    }).listen(443, address, () => process.stdout.write("listening\n"));
  }

  listen(
    guardAddresses.presto,
    (socket) => {
      const admitted = order.refusal !== "reset" || !isStrange(socket);
      if (!admitted) tell("connection", socket);
      return admitted;
    },
    (request, response) => {
      const { socket, headers, url } = request;
      const known = headers.authorization !== undefined;
      tell(known ? "call" : "knock", socket);
      const body: Buffer[] = [];
      request.on("data", (chunk: Buffer) => body.push(chunk));
      request.on("end", () => {
        const send = (status: number, type: string, text: string): void =>
          void response.writeHead(status, { "content-type": type }).end(text);
        if (isStrange(socket) && order.refusal === "page")
          send(403, "text/html", "<!doctype html><title>Blocked</title><h1>Access denied</h1>");
        else if (isStrange(socket) || url?.endsWith(forbiddenReference) === true)
          send(403, "application/json", '{"error":"forbidden"}');
        else if (!known) send(401, "application/json", '{"error":"unauthenticated"}');
        else send(200, "application/json", transaction(url ?? "", Buffer.concat(body)));
      });
    },
  );
  for (const [index, address] of guardAddresses.witnesses.entries()) {
    const is = (witness: Witness): boolean => order.witnesses[index] === witness;
    listen(
      address,
      () => !is("down"),
      ({ socket }, response) => {
        const ip = is("lying") ? madeUpAddress : (socket.remoteAddress ?? "");
        // The one as text, the other as JSON: both are understood.
        response.end(index === 0 ? `${ip}\n` : JSON.stringify({ ip }));
      },
    );
  }
  createInterface(process.stdin).on("line", (line) => {
    order = JSON.parse(line);
    process.stdout.write("ordered\n");
  });
}
