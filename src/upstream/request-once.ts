import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { CodedError, systemCode } from "../errors.ts";
import { contentOf, largestContent } from "./content.ts";
import { Exchange, type Sender } from "./exchange.ts";

/**
 * - `called-off`: whoever asked withdrew right before the first byte.
 * - `given-up`: its signal was aborted.
 * - `no-connection`: lost before a byte was written.
 * - `broken`: the connection broke, or the answer was malformed, after bytes were written.
 * - `too-large`: the answer was larger than any of Presto's.
 * - `unexpected-status`: a status that does not say whether anything was done.
 * - `not-json`: a success without Presto's JSON: empty, a page, something else.
 * - `no-token`: a success that holds no token.
 * - `unusable-token`: a success whose token can't be sent.
 */
export type OwnRequestErrorCode =
  | "called-off"
  | "given-up"
  | "no-connection"
  | "broken"
  | "too-large"
  | "unexpected-status"
  | "not-json"
  | "no-token"
  | "unusable-token";

/**
 * Why a call of this process's own to Presto has no clear end. The message says what was
 * wrong and quotes nothing that was sent or came: an answer can hold a token, and an error
 * of Presto's can repeat the e-mail. Errors of undici are not kept as its cause, since they
 * may carry the bytes that came.
 */
export class OwnRequestError extends CodedError<OwnRequestErrorCode> {
  override readonly name = "OwnRequestError";
}

/** Every answer to a call of our own is far smaller; more is held of none. */
const largestResponse = largestContent;

/** A request of this process's own. */
export interface OwnRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Name, value, name, value…; Host and Content-Length come by themselves. */
  readonly headers: readonly string[];
  readonly body?: Buffer;
}

/** A response that came whole. */
export interface OwnResponse {
  readonly status: number;
  /** Name, value, name, value…, as they came; without Content-Encoding if what it names was undone. */
  readonly headers: string[];
  /** Without content codings, unless they can't be undone. */
  readonly body: Buffer;
}

export type RequestEnd =
  | { readonly kind: "answered"; readonly response: OwnResponse }
  /** No byte was written. */
  | { readonly kind: "not-sent"; readonly cause: unknown }
  /** Presto may have seen it. */
  | { readonly kind: "unclear"; readonly cause: unknown };

/** What one request of our own goes over: a connection of its own, which is closed after it. */
export interface OwnPool extends Sender {
  destroy(): Promise<void>;
}

export type OpenPool = () => OwnPool;

/** How a request is kept in check. */
export interface RequestControl {
  /** Asked right before the first byte; false ends the call as `not-sent`. */
  readonly mayBegin: () => boolean;
  /** Gives the call up: its connection is closed. Its end is then `unclear`, or `not-sent`. */
  readonly signal: AbortSignal;
}

/**
 * Sends one request once, over a connection of its own that is closed after it: on one that
 * was kept alive, the server's close could cross the request, and its end would be unclear.
 * undici's limits on time are turned off for it: only the signal ends it. Never rejects.
 */
export async function requestOnce(
  openPool: OpenPool,
  request: OwnRequest,
  control: RequestControl,
): Promise<RequestEnd> {
  if (control.signal.aborted) return { kind: "not-sent", cause: givenUp(false) };
  let pool: OwnPool;
  try {
    pool = openPool();
  } catch (cause) {
    return { kind: "not-sent", cause };
  }
  try {
    return await new OwnExchange(control).over(pool, request);
  } finally {
    await pool.destroy();
  }
}

export interface GetOptions {
  /** A pool for this request alone. */
  readonly openPool: OpenPool;
  readonly path: string;
  /** Name, value, name, value… */
  readonly headers: readonly string[];
  /** Milliseconds for the whole of it. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "after">;
  /** Gives it up before that. */
  readonly signal?: AbortSignal | undefined;
  /** Called right before the first byte. */
  readonly onBegin?: (() => void) | undefined;
}

/** A request that acts on nothing, with an end in time: what is unclear about it costs only the answer. Never rejects. */
export async function getOnce(options: GetOptions): Promise<RequestEnd> {
  const { openPool, path, headers, timeoutMs, clock, signal, onBegin } = options;
  const late = new AbortController();
  const timer = clock.after(timeoutMs, () => late.abort());
  const control: RequestControl = {
    mayBegin() {
      onBegin?.();
      return true;
    },
    signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
  };
  const end = await requestOnce(openPool, { method: "GET", path, headers }, control);
  timer.cancel();
  return end;
}

class OwnExchange extends Exchange {
  readonly #control: RequestControl;
  readonly #end = Promise.withResolvers<RequestEnd>();
  #written = false;
  #settled = false;
  #size = 0;

  constructor(control: RequestControl) {
    super();
    this.#control = control;
  }

  over(pool: OwnPool, request: OwnRequest): Promise<RequestEnd> {
    this.#control.signal.addEventListener("abort", this.#giveUp, { once: true });
    this.sendOver(pool, {
      method: request.method,
      path: request.path,
      headers: [...request.headers],
      body: request.body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return this.#end.promise;
  }

  protected begin(): Error | undefined {
    if (this.#settled) return givenUp(false);
    if (!this.#control.mayBegin()) {
      const cause = new OwnRequestError("called-off", "the call was called off before its first byte");
      this.#settle({ kind: "not-sent", cause });
      return cause;
    }
    // undici writes right after this returns: from here on Presto may have seen it.
    this.#written = true;
    return undefined;
  }

  protected received(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= largestResponse) {
      this.bytes.add(chunk);
      return;
    }
    const cause = new OwnRequestError(
      "too-large",
      `Presto answered ${this.status} with more than ${largestResponse} bytes, which no answer of its own has`,
    );
    this.#settle({ kind: "unclear", cause });
    this.abort(cause);
  }

  protected ended(): void {
    const { status, headers } = this;
    const body = this.bytes.takeWhole();
    const content = contentOf(headers, body);
    const response =
      content === undefined || content === body
        ? { status, headers, body }
        : { status, headers: headers.filter(namesNoCoding), body: content };
    this.#settle({ kind: "answered", response });
  }

  protected failed(error: Error): void {
    if (this.#written) this.#settle({ kind: "unclear", cause: broken(error) });
    else this.#settle({ kind: "not-sent", cause: error instanceof ConnectError ? error : lost(error) });
  }

  readonly #giveUp = (): void => {
    const cause = givenUp(this.#written);
    this.#settle({ kind: this.#written ? "unclear" : "not-sent", cause });
    this.abort(cause);
  };

  /** The first end counts. */
  #settle(end: RequestEnd): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#control.signal.removeEventListener("abort", this.#giveUp);
    this.#end.resolve(end);
  }
}

/** For a flat list of fields without Content-Encoding and its value. */
function namesNoCoding(_part: string, index: number, headers: readonly string[]): boolean {
  return headers[index - (index % 2)]?.toLowerCase() !== "content-encoding";
}

function givenUp(written: boolean): OwnRequestError {
  return new OwnRequestError(
    "given-up",
    written
      ? "no answer came before the call was given up; Presto may have acted"
      : "the call was given up before its first byte",
  );
}

function lost(error: Error): OwnRequestError {
  return new OwnRequestError(
    "no-connection",
    `the connection to Presto was lost before anything was sent${inBrackets(error)}`,
  );
}

function broken(error: Error): OwnRequestError {
  return new OwnRequestError(
    "broken",
    `the connection broke, or the answer was malformed, after the request was sent${inBrackets(error)}; Presto may have acted`,
  );
}

/** Only what looks like a system's or undici's code. */
function inBrackets(error: Error): string {
  const code = systemCode(error);
  return code !== undefined && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? ` (${code})` : "";
}
