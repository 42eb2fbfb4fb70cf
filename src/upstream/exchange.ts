import type { Dispatcher } from "undici";

import { ByteList } from "../lib/buffers.ts";

export interface ExchangeRequest extends Pick<
  Dispatcher.DispatchOptions,
  "method" | "path" | "headers" | "body" | "headersTimeout" | "bodyTimeout"
> {
  /** Over a connection that is made for it. */
  readonly fresh?: boolean;
}

/** Who is told of an exchange. */
export interface ExchangeHandler extends Dispatcher.DispatchHandler {
  /** Its response, which is whole, was not to its request: nothing more may be asked over that connection. */
  readonly isOutOfStep?: boolean;
}

/** Whatever sends: in production, `connections.ts`. */
export interface Sender {
  dispatch(request: ExchangeRequest, handler: ExchangeHandler): boolean;
  /** Takes back a request that waits for a connection. Its handler hears no more. */
  withdraw?(handler: Dispatcher.DispatchHandler): void;
}

/**
 * One request and its response, as undici tells of them, with the care that every send needs:
 * it begins once at most, nothing is written without leave, and what waits for a connection
 * can be taken back. undici calls the methods whose names begin with `on`.
 *
 * A class, since one is made for each send: this is the hottest path.
 */
export abstract class Exchange implements ExchangeHandler {
  isOutOfStep = false;
  protected status = 0;
  /** Name, value, name, value…, as they came. */
  protected readonly headers: string[] = [];
  protected readonly bytes = new ByteList();
  #controller: Dispatcher.DispatchController | undefined;
  #sender: Sender | undefined;

  sendOver(sender: Sender, request: ExchangeRequest): void {
    this.#sender = sender;
    sender.dispatch(request, this);
  }

  /** Forgets what came, for a request that is sent anew on purpose. */
  protected reset(): void {
    this.#controller = undefined;
    this.status = 0;
    this.headers.length = 0;
    this.bytes.take();
  }

  /** Asked once, right before the first byte: an error is why it must not be written. From here on Presto may have seen it. */
  protected abstract begin(): Error | undefined;
  protected abstract received(chunk: Buffer, controller: Dispatcher.DispatchController): void;
  protected abstract ended(): void;
  protected abstract failed(error: Error): void;

  /** Ends it, wherever it stands. What becomes of that is told by `failed`. */
  protected abort(reason: Error): void {
    if (this.#controller !== undefined) this.#controller.abort(reason);
    else this.#sender?.withdraw?.(this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // A second start would be a second send; undici has no reason for one, and it is refused.
    const refusal =
      this.#controller === undefined ? this.begin() : new Error("undici began to send a request again");
    if (refusal === undefined) this.#controller = controller;
    else controller.abort(refusal);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim answers were taken off before undici saw them (interim-answers.ts); none is ever the answer.
    if (status < 200) return;
    this.status = status;
    const raw = controller.rawHeaders;
    if (!Array.isArray(raw)) return;
    for (const part of raw) this.headers.push(typeof part === "string" ? part : part.toString("latin1"));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.received(chunk, controller);
  }

  onResponseEnd(): void {
    this.ended();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.failed(error);
  }
}
