import type { IncomingHttpHeaders } from "node:http";
import type { TLSSocket } from "node:tls";

import { Client, type Dispatcher } from "undici";

import { atEndOfTurn } from "../clock.ts";
import { type StreamEnd, watchStreamEnd } from "../connect/stream-end.ts";
import { CodedError, systemCode } from "../errors.ts";
import { hasContent } from "./call.ts";
import type { ExchangeHandler, ExchangeRequest } from "./exchange.ts";
import { ReadSide, type ReadSideOwner } from "./read-side.ts";

/** Whoever keeps connections is told what becomes of each. */
export interface ConnectionEvents {
  /** Its exchange is over, and it can take another. */
  freed(connection: KeptConnection): void;
  /** It has come to its end, and not by our wish where `ended` says how: while it was idle, or when it had been sent a request and before a byte of the response. */
  gone(connection: KeptConnection, ended: "idle" | "unanswered" | undefined): void;
  /** It came to its end before a byte of this request was written. */
  unsent(request: ExchangeRequest, handler: ExchangeHandler): void;
  /** Bytes have come that nothing had asked for. It comes to its end for that. */
  unasked(): void;
  /** The server has named how long it keeps an idle connection, milliseconds. */
  named(timeoutMs: number): void;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly client: Omit<Client.Options, "connect">;
  /** Monotonic time. */
  readonly openedAt: number;
  /** Monotonic time after which it takes no more calls. */
  readonly endsAt: number;
}

export interface SendMode {
  /** The connection was made for this request just now. */
  readonly fresh?: boolean;
  /** A close that has reached the kernel must be noticed before anything is written. */
  readonly checked?: boolean;
  /** It has been idle for long, and may be about to be closed: that is then told by `IdleConnectionEnded`. */
  readonly risky?: boolean;
}

/** A connection that had been idle for long ended before a byte of the response came: the server was about to close it. */
export class IdleConnectionEnded extends Error {
  override readonly name = "IdleConnectionEnded";
  constructor(cause: Error) {
    super("a connection that had been idle ended when it was used again", { cause });
  }
}

/**
 * - `UNKNOWN_TRANSFER_CODING`: something else than chunks, which nobody here decodes.
 * - `UNMARKED_END`: neither length, chunks nor TLS say where it ends (RFC 9112 section 9.8): the connection did.
 */
export type FramingErrorCode = "UNKNOWN_TRANSFER_CODING" | "UNMARKED_END";

/** An answer that is not known to be whole. */
export class FramingError extends CodedError<FramingErrorCode> {
  override readonly name = "FramingError";
}

/** What ends a request that was given to a connection which is no more: not a byte of it was written. */
class ConnectionGone extends Error {
  override readonly name = "ConnectionGone";
}

/**
 * One connection to Presto and its undici `Client`, which is given it once and never makes
 * another. It stands between the client and whoever sends, as the handler of one exchange at a
 * time, so that nothing more is made for each call.
 */
export class KeptConnection implements Dispatcher.DispatchHandler, ReadSideOwner {
  readonly endsAt: number;
  /** Monotonic time since when it has been idle. */
  idleSince: number;
  /** How long it was when it was taken, milliseconds. */
  idleMs = 0;
  /** It has carried a call. */
  used = false;
  /** It takes no more calls. */
  retired = false;
  #gone = false;
  readonly #socket: TLSSocket;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #client: Client | undefined;
  #request: ExchangeRequest | undefined;
  #handler: ExchangeHandler | undefined;
  #mode: SendMode = {};
  #begun = false;
  #responded = false;
  #readSide: ReadSide | undefined;
  /** Of an answer that nothing ends but the connection. */
  #end: StreamEnd | undefined;

  constructor(socket: TLSSocket, options: ConnectionOptions, events: ConnectionEvents) {
    this.#socket = socket;
    this.#options = options;
    this.#events = events;
    this.endsAt = options.endsAt;
    this.idleSince = options.openedAt;
    for (const event of ["error", "end", "close"]) socket.on(event, this.#lost);
    // Nothing is due on it before a request but TLS's own messages: whatever else comes ends it.
    socket.on("readable", this.#readable);
    socket.unref();
  }

  send(request: ExchangeRequest, handler: ExchangeHandler, mode: SendMode): void {
    this.#request = request;
    this.#handler = handler;
    this.#mode = mode;
    this.#begun = false;
    this.#responded = false;
    // What has reached the kernel by now is read in the poll after this turn, and written is only after that:
    // undici waits for a turn, too, and so does the handing over of a connection that was never used.
    if (mode.checked === true) atEndOfTurn(this.#dispatch);
    else this.#dispatch();
  }

  /** Ends it: at once, or, while it has an exchange, after that. */
  retire(): void {
    this.retired = true;
    if (this.#handler === undefined) void this.destroy();
  }

  /** Cuts off what is under way. */
  async destroy(): Promise<void> {
    this.retired = true;
    this.#finish(undefined);
    const ended = this.#client?.destroy();
    // The client may not have been given it yet.
    this.#socket.destroy();
    await ended;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#begun = true;
    this.#readSide?.awaitAnswer();
    this.#handler?.onRequestStart?.(controller, context);
  }

  onResponseStarted(): void {
    this.#responded = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    const keepAlive = headers["keep-alive"];
    if (keepAlive !== undefined) this.#readKeepAlive(keepAlive);
    const coding = headers["transfer-encoding"];
    if (coding === undefined) {
      if (headers["content-length"] === undefined && hasContent(status))
        this.#end = watchStreamEnd(this.#socket);
    } else if (!isChunked(coding) && hasContent(status)) {
      const fault = "the answer has a transfer coding that is not decoded here";
      controller.abort(new FramingError("UNKNOWN_TRANSFER_CODING", fault));
      return;
    } else if (this.#readSide?.isHttp10 === true) {
      // RFC 9112 section 6.1: chunks in HTTP/1.0 are faulty framing. They mark their end, so the answer is whole if it
      // comes; but whoever sends them may send something else behind it, and no other call may meet that.
      this.retired = true;
    }
    this.#handler?.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler?.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    if (this.#end?.isAnnounced() === false) {
      const fault = "the connection ended without a sign that the answer was whole";
      this.onResponseError(controller, new FramingError("UNMARKED_END", fault));
      return;
    }
    const handler = this.#take()?.handler;
    handler?.onResponseEnd?.(controller, trailers);
    if (handler?.isOutOfStep === true) this.retired = true;
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    const exchange = this.#take();
    if (exchange === undefined) return;
    if (!this.#begun && error instanceof ConnectionGone) {
      this.#events.unsent(exchange.request, exchange.handler);
      return;
    }
    const unanswered = this.#begun && !this.#responded && endsConnection(error);
    const told = unanswered && this.#mode.risky === true ? new IdleConnectionEnded(error) : error;
    this.#finish(unanswered ? "unanswered" : undefined);
    // Mostly it has gone by itself; whatever was wrong, nothing goes over it again.
    void this.destroy();
    exchange.handler.onResponseError?.(controller, told);
  }

  isAnswerDue(): boolean {
    return this.#handler !== undefined;
  }

  writeFailed(): void {
    this.retired = true;
  }

  #take(): { request: ExchangeRequest; handler: ExchangeHandler } | undefined {
    const [request, handler] = [this.#request, this.#handler];
    this.#request = undefined;
    this.#handler = undefined;
    return request === undefined || handler === undefined ? undefined : { request, handler };
  }

  readonly #dispatch = (): void => {
    if (this.#request === undefined) return;
    if (this.#gone) {
      const exchange = this.#take();
      if (exchange !== undefined) this.#events.unsent(exchange.request, exchange.handler);
      return;
    }
    this.#client ??= this.#openClient();
    this.#client.dispatch(this.#request, this);
  };

  #openClient(): Client {
    let given = false;
    const client = new Client(this.#options.url, {
      ...this.#options.client,
      connect: (_options, callback) => {
        const hand = (): void => {
          // A second time it would be for a request whose connection has just come to its end.
          if (given || this.#gone) {
            callback(new ConnectionGone("the connection has ended"), null);
            return;
          }
          given = true;
          callback(null, this.#release());
        };
        // undici does not go on by itself if it is given one at once.
        if (this.#mode.fresh === true || given) queueMicrotask(hand);
        else atEndOfTurn(hand);
      },
    });
    client.on("drain", () => {
      // TLS tells of the end of a write at the end of the turn only, though it went out at once: an answer may be faster.
      if (this.#socket.writableLength === 0) this.#over();
      else atEndOfTurn(this.#over);
    });
    client.on("disconnect", (_origin, _clients, error) => {
      if (isUnasked(error)) this.#unasked();
      this.#finish(this.#handler === undefined && endsConnection(error) ? "idle" : undefined);
    });
    return client;
  }

  /** Its exchange is over. */
  readonly #over = (): void => {
    if (this.#gone || this.#handler !== undefined) return;
    this.used = true;
    // What is left of the request would be written before the next one: Presto may not wait for it.
    if (this.#socket.writableLength > 0) this.retired = true;
    if (this.retired) void this.destroy();
    else this.#events.freed(this);
  };

  /** The client sees to the socket from now on. */
  #release(): TLSSocket {
    const socket = this.#socket;
    for (const event of ["error", "end", "close"]) socket.off(event, this.#lost);
    socket.off("readable", this.#readable);
    socket.ref();
    this.#readSide = new ReadSide(socket, this);
    return socket;
  }

  readonly #readable = (): void => {
    if (this.#socket.read() === null) return;
    this.#socket.destroy();
    this.#unasked();
  };

  /** Nothing about how long the server lets one stand idle. */
  #unasked(): void {
    if (!this.#gone) this.#events.unasked();
    this.#finish(undefined);
  }

  readonly #lost = (): void => {
    this.#socket.destroy();
    this.#finish("idle");
  };

  #finish(ended: "idle" | "unanswered" | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#end?.close();
    this.#events.gone(this, ended);
  }

  /** undici itself keeps to it, less two seconds. */
  #readKeepAlive(field: string | string[]): void {
    const seconds = /(?:^|[,;\s])timeout=(\d{1,9})/i.exec(String(field))?.[1];
    if (seconds !== undefined) this.#events.named(Number(seconds) * 1_000);
  }
}

/** The one transfer coding that undici decodes. Two fields, or two codings, are not it. */
function isChunked(coding: string | readonly string[]): boolean {
  return typeof coding === "string" && coding.trim().toLowerCase() === "chunked";
}

/** Has undici ended the connection for bytes that came while nothing was asked? */
function isUnasked(error: Error): boolean {
  return systemCode(error) === "UND_ERR_SOCKET" && error.message === "bad response";
}

/** Has the peer ended the connection, or the network? Not so for what was malformed, late, or ended by us. */
function endsConnection(error: Error): boolean {
  const code = systemCode(error);
  return code === "UND_ERR_SOCKET" || code === "UPSTREAM_RESET" || code === "ECONNRESET" || code === "EPIPE";
}
