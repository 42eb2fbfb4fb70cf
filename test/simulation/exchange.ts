import type { Dispatcher } from "undici";

/** What stands before Presto answers with a page; Presto itself with JSON. */
export type Shape = "json" | "page";

const rawHeaders = {
  json: ["content-type", "application/json"].map((part) => Buffer.from(part)),
  page: ["content-type", "text/html"].map((part) => Buffer.from(part)),
};

export type SimController = Dispatcher.DispatchController & { rawHeaders: Buffer[] };

/** A class, since one is made for each send: accessors in a literal cost more than all the rest of it. */
class Controller implements SimController {
  rawHeaders: Buffer[] = [];
  readonly rawTrailers: Buffer[] = [];
  readonly paused = false;
  aborted = false;
  reason: Error | null = null;

  pause(): void {}

  resume(): void {}

  abort(why: Error): void {
    this.aborted = true;
    this.reason = why;
  }
}

/** As undici shows an exchange to whoever sends. */
export function createController(): SimController {
  return new Controller();
}

export interface SimResponse {
  readonly status: number;
  readonly shape: Shape;
  readonly body: Buffer;
}

/** Brings a whole response to whoever sent. */
export function respond(
  handler: Dispatcher.DispatchHandler,
  controller: SimController,
  { status, shape, body }: SimResponse,
  date?: string,
): void {
  if (controller.aborted) return;
  controller.rawHeaders = [
    ...rawHeaders[shape],
    ...(date === undefined ? [] : ["date", date].map((part) => Buffer.from(part))),
  ];
  handler.onResponseStart?.(controller, status, {}, "");
  handler.onResponseData?.(controller, body);
  handler.onResponseEnd?.(controller, {});
}

/** A time as HTTP has it (RFC 9110 section 5.6.7). */
export function httpDate(at: number): string {
  return new Date(at).toUTCString();
}

/** The connection broke. */
export function breakOff(handler: Dispatcher.DispatchHandler, controller: SimController): void {
  if (!controller.aborted)
    handler.onResponseError?.(controller, Object.assign(new Error("reset"), { code: "ECONNRESET" }));
}

/** The token that a request carries; undefined if it carries none. */
export function tokenIn(headers: Dispatcher.DispatchOptions["headers"]): string | undefined {
  if (!Array.isArray(headers)) return undefined;
  const index = headers.indexOf("authorization");
  const value: unknown = index === -1 ? undefined : headers[index + 1];
  return typeof value === "string" ? value.slice("Bearer ".length) : undefined;
}
