import type { Readable } from "node:stream";

import type { Outcome } from "../errors.ts";
import type { Cancellable } from "../lib/async.ts";
import type { Operation } from "../policy/operations.ts";
import type { NamedReferences, Reference } from "./references.ts";

/**
 * One accepted call on its way to Presto: what is sent, how long it may take, and what
 * has happened to it so far. The inbound side makes it; each step on the way reads it.
 */
export interface Call extends Cancellable {
  readonly requestId: string;
  readonly operation: Operation;
  readonly method: string;
  /** Origin-form, as it was judged. */
  readonly target: string;
  /** Name, value, name, value…: what is forwarded, without the token. */
  readonly headers: readonly string[];
  body: Buffer | undefined;
  /**
   * Counts bytes of this call's body or answer as held in memory until the call ends.
   * Answers false, and counts nothing, where the bound for all calls together is reached.
   */
  reserve(bytes: number): boolean;

  /** A byte of the present send may have reached Presto. */
  requestWritten: boolean;
  /** How many times a byte of it was written. */
  attempts: number;
  /** Milliseconds spent in exchanges with Presto. */
  upstreamMs: number;
  /** Generation of the token last sent. */
  generation: number | undefined;
  /** What its last wait before the present send was for. */
  waitedFor?: "turn" | "token" | undefined;

  /** Who called: `127.0.0.1:41234` or `unix`; undefined of a call of the sidecar's own. */
  readonly peer?: string;
  /** Of the trace that the caller says it belongs to (W3C Trace Context). */
  readonly traceId?: string | undefined;
  /** Its tries to be sent, for whoever makes spans of them; undefined where nobody does. */
  readonly tries?: Try[] | undefined;

  /** Monotonic milliseconds by which the reply's last byte must be out: later than the deadline where time is kept back to ask what became of it. */
  readonly lastAt: number;
  /** Only of a call that moves money: what it names, once that was read, and what its last answer says. */
  money?: MoneyFacts | undefined;
}

/** One try to send a call. Times are monotonic milliseconds. */
export interface Try {
  readonly startedAt: number;
  readonly endedAt: number;
  /** A byte of the call had been written by its end. */
  readonly wasWritten: boolean;
  /** Of Presto's response; 0 without one. */
  readonly status: number;
}

/** What is known of a call that moves money. */
export interface MoneyFacts extends NamedReferences {
  /** What the answer to the last sending says; undefined while there is none. */
  verdict: Verdict | undefined;
  /** What its caller is told of the transaction; undefined where the reply alone settles it. */
  told?: TransactionTold;
}

/** What a caller is told of a transaction. */
export interface TransactionTold {
  readonly status: TransactionStatus;
  /** Undefined where it is none that could be asked about. */
  readonly reference: string | undefined;
}

/**
 * What the answer to a call that moves money says of the money: it has moved, Presto has refused
 * and done nothing, or neither is sure.
 */
export type Verdict = "completed" | "refused" | "unclear";

/** What Presto says of a transaction at one moment. */
export interface TransactionView {
  readonly reference: string;
  readonly status: "completed" | "failed" | "pending" | "not-known";
  /** When it was asked. */
  readonly askedAt: Date;
}

/** A call was proxied or refused: told once, when its reply has ended or its caller has gone. */
export interface CallFinished {
  readonly type: "call-finished";
  readonly requestId: string;
  /** Name of the operation, or `none` where the request was refused before one was found. */
  readonly operation: string;
  readonly movesMoney: boolean;
  readonly outcome: Outcome;
  /** Status sent to the caller; 0 if it had gone before any could be sent. */
  readonly status: number;
  /** Code of the sidecar's own reply, if it made one. */
  readonly code: string | undefined;
  /** For the log: why, in the error's own words, never a secret. */
  readonly cause: unknown;
  /** Milliseconds spent in exchanges with Presto. */
  readonly upstreamMs: number;
  /** Milliseconds from the request's head to the reply's last byte. */
  readonly totalMs: number;
  /** How many times it was sent. */
  readonly sends: number;
  /** Generation of the token last sent, or undefined if none was. */
  readonly generation: number | undefined;
  /** Socket peer: `127.0.0.1:41234` or `unix`. */
  readonly peer: string;
  /** Of the trace that the caller says it belongs to. */
  readonly traceId?: string | undefined;
  /** The field that says so, as it came. */
  readonly traceParent?: string | undefined;
  /** Only where spans are made. */
  readonly tries?: readonly Try[] | undefined;
  /** Only of a request that never became a call: its method, and its path as `shownPath` leaves it. */
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** The caller closed its connection before it was answered. */
  readonly callerGone: boolean;
  /** This process ended before the call could. */
  readonly cutOff: boolean;
  /** Only of a call that moves money: what its caller was told of the transaction. For its own line of the log alone. */
  readonly transaction?: TransactionTold | undefined;
}

/** Nobody waits for the answer any more, and nothing needs to be finished. No reply is written. */
export class CallerGone extends Error {
  override readonly name = "CallerGone";
  constructor() {
    super("the caller closed its connection");
  }
}

/** Whoever is told how a call, or one send of it, came to its end: once. */
export interface CallEnd {
  /** @param transaction what Presto says of it, where the response does not settle what became of the money */
  answered(response: Response, transaction?: TransactionStatus): void;
  /**
   * With a `Problem` whose outcome says whether a byte of it can have reached Presto, or with `CallerGone`.
   * @param transaction what Presto says of it, where that was asked
   */
  failed(error: unknown, transaction?: TransactionView): void;
}

/** Brings one call to its end: a response of Presto's, or a `Problem` or `CallerGone`. */
export type Perform = (call: Call, end: CallEnd) => void;

/** The same for whoever waits for it. */
export function performed(perform: Perform, call: Call): Promise<Response> {
  return new Promise((answered, failed) => {
    perform(call, { answered, failed });
  });
}

export type TransactionStatus = TransactionView["status"];

/** Presto's response to one send. */
export interface Response {
  readonly status: number;
  /** Name, value, name, value…, as they came. */
  readonly headers: string[];
  /** The whole body, or, where it is too large to hold, the stream of it. */
  readonly body: Buffer | Readable;
  /** What references.ts has read of it: only of an answer to a call that names a transaction. */
  named?: readonly Reference[];
}

/** A response, as far as it is looked at. */
export interface SeenResponse {
  readonly status: number;
  readonly headers: string[];
  /** Only a buffer is looked into. */
  readonly body?: unknown;
}

/** Lets go of a response that nobody will read, so that its connection is freed. */
export function discard(response: Response): void {
  if (!Buffer.isBuffer(response.body)) response.body.destroy();
}

/**
 * Calls back once: has the response come whole? At once where it is held; one that is passed on as it
 * comes is known to be whole only when its stream has ended, and is not where that was cut.
 */
export function whenWhole({ body }: Pick<Response, "body">, told: (isWhole: boolean) => void): void {
  if (Buffer.isBuffer(body)) told(true);
  else if (body.closed) told(body.readableEnded);
  else body.once("close", () => told(body.readableEnded));
}

/** RFC 9110 sections 15.3.5 and 15.4.5: a response with one of these ends with its head, whatever that says. */
export function hasContent(status: number): boolean {
  return status !== 204 && status !== 304;
}

/** The value of a response's first field of that name (in lower case), or undefined. */
export function fieldOf(response: Pick<Response, "headers">, name: string): string | undefined {
  const { headers } = response;
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}

/** The type that a response says it has, in lower case and without parameters; empty where it says none. */
export function mediaTypeOf(response: Pick<Response, "headers">): string {
  return fieldOf(response, "content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

const jsonType = /^\s*application\/([a-z0-9.-]+\+)?json\s*(;|$)/i;

/** Is this a response of the API itself, and not a page of some gateway in front of it? Judged by the type, or, without one, by the first byte. */
export function isJson(response: Pick<SeenResponse, "headers" | "body">): boolean {
  const type = fieldOf(response, "content-type");
  if (type !== undefined && jsonType.test(type)) return true;
  return (type === undefined || type.trim() === "") && beginsAsJson(response.body);
}

/** Has it the first byte of an object or an array? */
export function beginsAsJson(body: unknown): boolean {
  return Buffer.isBuffer(body) && (body[0] === 0x7b || body[0] === 0x5b);
}
