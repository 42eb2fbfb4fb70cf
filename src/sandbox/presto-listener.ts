import type { IncomingMessage, ServerResponse } from "node:http";

import type { Admittance } from "./admittance.ts";
import type { Authority, Certificate } from "./certificates.ts";
import type { Call } from "./endpoints.ts";
import type { FaultBook } from "./fault-book.ts";
import type { RequestEffect } from "./fault.ts";
import { type AnswerMeans, replacement, writeAnswer } from "./faulty-answer.ts";
import type { Journal } from "./journal.ts";
import { createPresentedCertificates } from "./presented-certificates.ts";
import { messageReply, type Reply } from "./reply.ts";
import { type Connection, createTcpDoor } from "./tcp-door.ts";

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
