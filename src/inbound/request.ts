import type { ServerResponse } from "node:http";

import type { Clock, Timer } from "../clock.ts";
import { type Outcome, Problem } from "../errors.ts";
import { cancel, type CancelReason, type Waiting } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import { readTraceId } from "../policy/headers.ts";
import { movesMoney, type Operation } from "../policy/operations.ts";
import type { Call, CallFinished, MoneyFacts, Try } from "../upstream/call.ts";
import type { Limiter } from "../upstream/limiter.ts";
import type { SlowBodies } from "./calls-under-way.ts";
import { type CallOnConnection, type Connection, cutOff, readOnIfAnswered } from "./connection.ts";

/** Where a call stands: its body is still coming, it is being performed, its reply is being written, or all is done. */
type Phase = "receiving" | "performing" | "replying" | "over";

export interface AcceptedRequest {
  readonly requestId: string;
  readonly operation: Operation;
  readonly target: string;
  readonly headers: readonly string[];
}

export interface CallTimes {
  /** The whole exchange as the caller sees it, milliseconds. */
  readonly timeoutMs: number;
  /** How much of that is kept back to ask what became of a call with an unknown outcome. */
  readonly reserveMs: number;
}

export interface CallDeps {
  readonly clock: Clock;
  readonly limiter: Pick<Limiter, "reserve" | "free">;
  readonly slowBodies: SlowBodies;
  readonly emit: Emit<CallFinished>;
  /** Somebody makes spans of calls, and of their tries. */
  readonly isTraced: boolean;
  /** The call has ended in every way: answered or given up, and its connection let go. */
  readonly onOver: (call: CallOnConnection) => void;
}

/** One accepted request from its head to its reply's last byte: its time, its memory, and the line that is reported of it. */
export class InboundCall implements Call, CallOnConnection {
  readonly requestId: string;
  readonly operation: Operation;
  readonly target: string;
  readonly headers: readonly string[];
  readonly arrivedAt: number;
  readonly deadlineAt: number;
  body: Buffer | undefined;
  cancelReason: CancelReason | undefined;
  waiting: Waiting | undefined;
  requestWritten = false;
  attempts = 0;
  upstreamMs = 0;
  generation: number | undefined;
  waitedFor: Call["waitedFor"];
  money: MoneyFacts | undefined;
  readonly tries: Try[] | undefined;

  /** The body, while it is still coming. */
  #receiving: { fail(problem: Problem): void } | undefined;
  phase: Phase = "receiving";
  readonly connection: Connection;
  readonly reply: ServerResponse;
  readonly #deps: CallDeps;
  #lastAt: number;
  #timer: Timer;
  #held = 0;
  #closed = false;
  #repliedOnSocket = false;
  #refusedReply = false;
  #cut = false;
  #cutOff = false;
  #settled: { outcome: Outcome; status: number; code: string | undefined; cause: unknown } | undefined;

  constructor(
    request: AcceptedRequest,
    connection: Connection,
    reply: ServerResponse,
    times: CallTimes,
    deps: CallDeps,
  ) {
    this.requestId = request.requestId;
    this.operation = request.operation;
    this.target = request.target;
    this.headers = request.headers;
    this.connection = connection;
    this.reply = reply;
    this.#deps = deps;
    this.tries = deps.isTraced ? [] : undefined;
    this.arrivedAt = deps.clock.monotonic();
    this.#lastAt = this.arrivedAt + times.timeoutMs;
    this.deadlineAt = this.#lastAt - times.reserveMs;
    this.#timer = deps.clock.after(times.timeoutMs - times.reserveMs, () => this.#late());
    connection.calls.push(this);
    reply.on("close", () => this.#replyClosed());
  }

  get method(): string {
    return this.operation.method;
  }

  get peer(): string {
    return this.connection.peer;
  }

  get traceId(): string | undefined {
    return readTraceId(this.reply.req.headers["traceparent"]);
  }

  reserve(bytes: number): boolean {
    if (!this.#deps.limiter.reserve(bytes)) return false;
    this.#held += bytes;
    return true;
  }

  /** The monotonic time by which the reply's last byte must be out. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** Before anything was sent, a caller that closed its side has gone. */
  halfClosed(): void {
    if (!this.requestWritten && this.attempts === 0 && this.phase !== "replying") this.#callerGone();
  }

  failBody(problem: Problem): boolean {
    if (this.#receiving === undefined) return false;
    this.#receiving.fail(problem);
    return true;
  }

  /** The body is still coming from now on, or, undefined, no longer. */
  set receiving(body: { fail(problem: Problem): void } | undefined) {
    this.#receiving = body;
    if (body === undefined) this.#deps.slowBodies.ended(this);
    else this.#deps.slowBodies.begun(this);
  }

  /** As `reserve`, for the body: others that came slowly make room for it. */
  reserveForBody(bytes: number): boolean {
    while (!this.reserve(bytes)) {
      if (!this.#deps.slowBodies.giveWay() || this.#receiving === undefined) return false;
    }
    return true;
  }

  cutOff(): void {
    this.#cutOff = true;
  }

  abandon(): void {
    this.#cutOff = true;
    this.settle(this.attempts > 0 ? "unknown" : "not-sent", 0);
    this.#closed = true;
    this.#finish();
  }

  expire(until: number): void {
    if (this.phase !== "replying") this.#cutOff = true;
    this.#lastAt = Math.min(this.#lastAt, until);
    const draining = new Problem("draining", {
      detail: "the sidecar has shut down; send to another, or again soon",
      retryAfter: 1,
    });
    if (!this.failBody(draining)) cancel(this, "deadline");
  }

  /** The reply has been written. A caller that only closed its side reads it; one that has gone refuses it, and the next write, of nothing, meets that. */
  replyWritten(): void {
    const { socket, halfClosed } = this.connection;
    if (!halfClosed || socket.destroyed || socket.writableEnded) return;
    socket.write(nothing, (error) => {
      if (error instanceof Error) this.#refusedReply = true;
    });
  }

  /** What the call ends with; reported once its reply has been written or its connection closed. */
  settle(outcome: Outcome, status: number, code?: string, cause?: unknown): void {
    this.#settled ??= { outcome, status, code, cause };
    if (this.#closed) this.#finish();
  }

  /** A last reply was written on the bare socket: for this call that is the end. */
  repliedOnSocket(): void {
    this.#repliedOnSocket = true;
    this.#closed = true;
    this.#finish();
  }

  /** The reply can't be finished, and the caller is not to blame. @param cause why the answer itself ended early, where it did */
  cut(cause?: unknown): void {
    this.#cut = true;
    // An answer that is passed on as it comes, and is cut, is not known to be whole, whatever its head has told the caller.
    if (cause !== undefined && this.#settled !== undefined)
      this.#settled = { ...this.#settled, outcome: "unknown", cause };
    cutOff(this.connection);
  }

  #callerGone(): void {
    cancel(this, "caller-gone");
  }

  #replyClosed(): void {
    this.#closed = true;
    if (this.#settled === undefined) this.#callerGone();
    else this.#finish();
  }

  #late(): void {
    const left = this.#lastAt - this.#deps.clock.monotonic();
    // A reply that is due at the end of this very turn is still to be made: what waited to the deadline ends with it.
    const isWriting = this.phase === "replying" && this.reply.headersSent;
    switch (this.phase) {
      case "receiving":
        this.failBody(
          new Problem("request-timeout", {
            detail: "the request's body was not complete in time; nothing was sent",
          }),
        );
        break;
      case "performing":
        cancel(this, "deadline");
        break;
      case "replying":
        if (left > 0 || !isWriting) break;
        this.cut();
        return;
      case "over":
        return;
    }
    // Once more: at the end of all time, or, where a reply is still to be made by then, a second after it.
    this.#cutAfter(isWriting ? left : Math.max(left, 0) + 1_000);
  }

  #cutAfter(ms: number): void {
    if (this.phase !== "over") this.#timer = this.#deps.clock.after(ms, () => this.cut());
  }

  #isCallerGone(): boolean {
    if (this.#cut || this.#cutOff) return false;
    return this.#refusedReply || (!this.reply.writableFinished && !this.#repliedOnSocket);
  }

  #finish(): void {
    if (this.phase === "over" || this.#settled === undefined) return;
    this.phase = "over";
    this.#timer.cancel();
    const { calls } = this.connection;
    calls.splice(calls.indexOf(this), 1);
    readOnIfAnswered(this.connection);
    this.#deps.limiter.free(this.#held);
    this.#deps.emit({
      type: "call-finished",
      requestId: this.requestId,
      operation: this.operation.name,
      movesMoney: movesMoney(this.operation),
      ...this.#settled,
      upstreamMs: this.upstreamMs,
      totalMs: this.#deps.clock.monotonic() - this.arrivedAt,
      sends: this.attempts,
      generation: this.generation,
      peer: this.connection.peer,
      traceId: this.traceId,
      traceParent: this.tries === undefined ? undefined : oneField(this.reply.req.headers["traceparent"]),
      tries: this.tries,
      callerGone: this.#isCallerGone(),
      cutOff: this.#cutOff,
      transaction: this.money?.told,
    });
    this.#deps.onOver(this);
  }
}

/** Fields that may stand once only are no lists to Node. */
function oneField(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

const nothing = Buffer.alloc(0);
