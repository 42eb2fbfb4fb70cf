import { Client } from "undici";

import type { Clock } from "../clock.ts";
import { createDirectConnector, type DirectTls } from "../connect/direct.ts";
import { ConnectError } from "../connect/errors.ts";
import { CodedError, systemCode } from "../errors.ts";
import type { Endpoint } from "../lib/host.ts";
import { type JsonObject, parseObject } from "../lib/json.ts";
import { maxObjectBytes } from "./contract.ts";

/** A server that keeps a store. */
export interface RemoteOptions {
  /** `https://host:port`, which is shown in messages. */
  readonly url: string;
  readonly server: Endpoint;
  /** Undefined: plain HTTP. */
  readonly tls: DirectTls | undefined;
  readonly clock: Clock;
}

export interface RemoteRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer that came whole. A redirect is an answer like any other: it is never followed, for the token would go with it. */
export interface RemoteResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** An answer whose body comes in its own time. */
export interface RemoteStream {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: RemoteResponse["headers"];
  /** Ends with the answer, or throws a `RemoteError` where the connection broke. */
  readonly body: AsyncIterable<Buffer>;
  /** Closes its connection. */
  destroy(): void;
}

/**
 * - `unreachable`: no connection, so not a byte was written.
 * - `untrusted`: the same, for the server could not prove who it is.
 * - `late`: no answer in time; a write may have been applied.
 * - `broken`: the connection broke, or the answer was malformed; a write may have been applied.
 * - `too-large`: the answer was larger than any object of ours.
 * - `closed`: the store was closed meanwhile.
 */
export type RemoteErrorCode = "unreachable" | "untrusted" | "late" | "broken" | "too-large" | "closed";

/**
 * Why there is no answer. The message goes on from a colon and quotes nothing that was sent or came;
 * errors of undici are not kept as its cause, since they may carry the bytes that came.
 */
export class RemoteError extends CodedError<RemoteErrorCode> {
  override readonly name = "RemoteError";
}

/** HTTP/1.1 to a store's server. */
export interface RemoteClient {
  /**
   * Sends it once; a `GET` once more, over a new connection, where a kept one had ended before a byte of the answer
   * came, or brings none for a moment. @throws RemoteError
   */
  request(request: RemoteRequest): Promise<RemoteResponse>;
  /** The same over a connection of its own, until the head has come: no request waits behind an open stream. @throws RemoteError */
  stream(request: RemoteRequest): Promise<RemoteStream>;
  /** Cuts off all that is under way. */
  close(): void;
}

/** Milliseconds that a request may take, with its connection and its body; a stream until its head. */
export const requestMs = 5_000;
/** Milliseconds that a `GET` waits on a kept connection for the head of its answer: one that a NAT has forgotten tells nobody. */
const keptMs = 1_500;
/** An object in base64, within JSON that says more about it. */
const maxResponseBytes = 2 * maxObjectBytes;
/** Milliseconds. Longer than the pause between two polls, shorter than any server or load balancer waits. */
const longestIdleMs = 30_000;
/** What is not a `GET` takes only a connection that was used just now: a close that crosses it would leave its end unclear. */
const shortestIdleMs = 4_000;
const mostIdle = 2;

interface IdleConnection {
  readonly client: Client;
  /** Monotonic time. */
  readonly since: number;
}

/**
 * One exchange at a time on each connection, with a deadline of its own. One that runs out retires its
 * connection, and those that lie idle too: whatever swallowed the one (a NAT that forgot, a host that
 * is gone) has mostly swallowed them all. The next request then looks the name up anew. A question does not
 * wait that long on a kept connection: asked twice it does no harm, and a payment may be waiting for the answer.
 */
export function createRemoteClient(options: RemoteOptions): RemoteClient {
  const { url, server, tls, clock } = options;
  const connector = createDirectConnector({ server, tls, timeoutMs: requestMs, clock });
  const all = new Set<Client>();
  let idle: IdleConnection[] = [];
  let closed = false;

  function openClient(): Client {
    const client = new Client(url, {
      connect: (_options, callback) => {
        connector.connect((error, socket) => {
          if (error !== null) callback(error, null);
          else if (socket !== null) callback(null, socket);
        });
      },
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: longestIdleMs,
      keepAliveMaxTimeout: longestIdleMs,
      // The deadline below ends what takes too long; a stream may be silent for as long as it likes.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 32 * 1024,
    });
    client.on("disconnect", () => {
      const before = idle.length;
      idle = idle.filter((each) => each.client !== client);
      if (idle.length < before) drop(client);
    });
    all.add(client);
    return client;
  }

  function drop(client: Client): void {
    all.delete(client);
    void client.destroy().catch(() => {});
  }

  function takeIdle(method: RemoteRequest["method"]): Client | undefined {
    const oldest = clock.monotonic() - (method === "GET" ? longestIdleMs : shortestIdleMs);
    const found = idle.findLast(({ since }) => since >= oldest);
    if (found !== undefined) idle = idle.filter((each) => each !== found);
    return found?.client;
  }

  function keep(client: Client): void {
    if (closed || idle.length >= mostIdle) drop(client);
    else idle.push({ client, since: clock.monotonic() });
  }

  function retire(client: Client): void {
    drop(client);
    for (const each of idle.splice(0)) drop(each.client);
  }

  /** Until the head of the answer has come. The connection is the answer's from then on. */
  async function begin(client: Client, request: RemoteRequest, signal: AbortSignal) {
    const { method, path, headers, body = null } = request;
    const {
      statusCode,
      headers: answered,
      body: rest,
    } = await client.request({
      method,
      path,
      headers,
      body,
      signal,
    });
    rest.on("error", () => {});
    return { status: statusCode, headers: answered, body: rest };
  }

  /** @returns undefined where the kept connection had ended or is silent, and the request may go once more */
  async function exchange(
    client: Client,
    kept: boolean,
    request: RemoteRequest,
    late: AbortSignal,
  ): Promise<RemoteResponse | undefined> {
    const mayRepeat = kept && request.method === "GET";
    const over = new AbortController();
    const giveUp = (): void => over.abort();
    late.addEventListener("abort", giveUp, { once: true });
    const stall = mayRepeat ? clock.after(keptMs, giveUp) : undefined;
    let headCame = false;
    try {
      const { status, headers, body } = await begin(client, request, over.signal);
      headCame = true;
      stall?.cancel();
      const whole = await readWhole(body);
      keep(client);
      return { status, headers, body: whole };
    } catch (error) {
      const isFrozen = over.signal.aborted;
      if (isFrozen) retire(client);
      else drop(client);
      if (mayRepeat && !headCame && !late.aborted && (isFrozen || isBroken(error))) return undefined;
      throw closed ? closedError() : toRemoteError(error, late);
    } finally {
      stall?.cancel();
      late.removeEventListener("abort", giveUp);
    }
  }

  return {
    async request(request) {
      if (closed) throw closedError();
      const late = new AbortController();
      const timer = clock.after(requestMs, () => late.abort());
      try {
        const kept = takeIdle(request.method);
        const first = kept && (await exchange(kept, true, request, late.signal));
        const response = first ?? (await exchange(openClient(), false, request, late.signal));
        if (response === undefined) throw new RemoteError("broken", "the connection ended");
        return response;
      } finally {
        timer.cancel();
      }
    },
    async stream(request) {
      if (closed) throw closedError();
      const late = new AbortController();
      const timer = clock.after(requestMs, () => late.abort());
      const client = openClient();
      try {
        const { status, headers, body } = await begin(client, request, late.signal);
        return { status, headers, body: chunksOf(body), destroy: () => drop(client) };
      } catch (error) {
        if (late.signal.aborted) retire(client);
        else drop(client);
        throw closed ? closedError() : toRemoteError(error, late.signal);
      } finally {
        timer.cancel();
      }
    },
    close() {
      closed = true;
      idle = [];
      for (const client of all) drop(client);
      connector.close();
    },
  };
}

/** The object of JSON that an answer holds; undefined for any other answer. */
export function jsonOf({ body }: Pick<RemoteResponse, "body">): JsonObject | undefined {
  return parseObject(body.toString("utf8"));
}

async function readWhole(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxResponseBytes) {
      throw new RemoteError("too-large", `it answered with more than ${maxResponseBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* chunksOf(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw toRemoteError(error, undefined);
  }
}

function closedError(): RemoteError {
  return new RemoteError("closed", "the store was closed");
}

function isBroken(error: unknown): boolean {
  return !(error instanceof ConnectError) && !(error instanceof RemoteError);
}

function toRemoteError(error: unknown, signal: AbortSignal | undefined): RemoteError {
  if (error instanceof RemoteError) return error;
  if (error instanceof ConnectError) {
    const { kind, message } = error;
    return new RemoteError(kind === "untrusted" ? "untrusted" : "unreachable", message);
  }
  if (signal?.aborted === true) return new RemoteError("late", `no answer within ${requestMs / 1000} s`);
  const code = systemCode(error) ?? "";
  const shown = /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? ` (${code})` : "";
  return new RemoteError("broken", `the connection broke, or the answer was malformed${shown}`);
}
