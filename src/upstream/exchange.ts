import type { Dispatcher } from "undici";
import undiciSymbols from "undici/lib/core/symbols.js";

import { ByteList } from "../lib/buffers.ts";

export type ExchangeRequest = Pick<
  Dispatcher.DispatchOptions,
  "method" | "path" | "headers" | "body" | "headersTimeout" | "bodyTimeout"
>;

const { kQueuedAbort } = undiciSymbols;

/**
 * One request and its response, as undici tells of them, with the care that every send needs:
 * it begins once at most, nothing is written without leave, and what waits for a connection
 * can be taken back. undici calls the methods whose names begin with `on`.
 *
 * A class, since one is made for each send: this is the hottest path.
 */
export abstract class Exchange implements Dispatcher.DispatchHandler {
  protected status = 0;
  /** Name, value, name, value…, as they came. */
  protected readonly headers: string[] = [];
  protected readonly bytes = new ByteList();
  #controller: Dispatcher.DispatchController | undefined;
  #leaveQueue: ((reason: Error) => void) | undefined;

  sendOver(dispatcher: Pick<Dispatcher, "dispatch">, request: ExchangeRequest): void {
    const options = {
      ...request,
      // A request that is stopped before it has a connection would otherwise stay in undici's queue, with its
      // body, and make a connection for nobody ahead of others that are still wanted.
      [kQueuedAbort]: (leave: (reason: Error) => void): void => {
        this.#leaveQueue = leave;
      },
    };
    dispatcher.dispatch(options, this);
  }

  /** Asked once, right before the first byte: an error is why it must not be written. From here on Presto may have seen it. */
  protected abstract begin(): Error | undefined;
  protected abstract received(chunk: Buffer, controller: Dispatcher.DispatchController): void;
  protected abstract ended(): void;
  protected abstract failed(error: Error): void;

  /** Ends it, wherever it stands. What becomes of that is told by `failed`. */
  protected abort(reason: Error): void {
    if (this.#controller !== undefined) this.#controller.abort(reason);
    else this.#leaveQueue?.(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // A second start would be a second send; undici has no reason for one, and it is refused.
    const refusal =
      this.#controller === undefined ? this.begin() : new Error("undici began to send a request again");
    if (refusal === undefined) this.#controller = controller;
    else controller.abort(refusal);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // 103 and the like; undici itself ends the connection on 100 and 101.
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
