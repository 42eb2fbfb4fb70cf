import type { IncomingMessage, ServerResponse } from "node:http";

import type { Authority, Certificate } from "./certificates.ts";
import type { Call } from "./endpoints.ts";
import type { RequestEffect } from "./fault.ts";
import { type AnswerDeps, type Faults, replacement, writeAnswer } from "./faults.ts";
import type { IpFilter } from "./ip-filter.ts";
import type { Journal } from "./journal.ts";
import { createPresentedCertificates, type PresentedCertificates } from "./presented-certificates.ts";
import { messageReply, type Reply } from "./reply.ts";
import { readBytes } from "./request-body.ts";
import { type Connection, createTcpListener } from "./tcp-listener.ts";

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
  { ipFilter, faults, journal, act }: PrestoListenerDeps,
): Promise<void> {
  const { request, response, connection, closing } = exchange;
  const { method = "", url = "" } = request;
  const [path = ""] = url.split("?", 1);
  journal.counted(method, path);
  const refusal = ipFilter.refusal(connection.address);
  const strike = refusal === undefined ? faults.takeForRequest(method, path) : undefined;
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
  const reply = answer(effect, act, {
    method,
    path,
    authorization: request.headersDistinct["authorization"] ?? [],
    contentType: request.headers["content-type"],
    body,
  });
  if (actsFirst) await strike?.removed;
  // After a handshake fault was set, no connection from before may be used again.
  if (faults.awaitsConnection()) response.setHeader("connection", "close");
  await writeAnswer(response, reply, effect, answering);
}

/** Presto's own answer, or the one that a fault puts in its place, whether or not the call is executed. */
function answer(effect: RequestEffect | undefined, act: PrestoListenerDeps["act"], call: Call): Reply {
  if (effect?.kind === "reset-before-acting")
    return messageReply(500, "Never sent: the connection is reset.");
  const instead = replacement(effect);
  if (instead === undefined) return act(call);
  if (effect !== undefined && "acts" in effect && effect.acts) act(call);
  return instead;
}
