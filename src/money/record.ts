import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { CancelReason, Waiting } from "../lib/async.ts";
import { movesMoney, type Operation } from "../policy/operations.ts";
import type { Token } from "../token/token.ts";
import {
  type Call,
  type CallEnd,
  CallerGone,
  discard,
  type Response,
  type TransactionStatus,
  type Verdict,
  whenWhole,
} from "../upstream/call.ts";
import type { Send } from "../upstream/dispatch.ts";
import type { Reference } from "../upstream/references.ts";
import { judge, namedBeside } from "./judge.ts";

/** One sending of a call that moves money. A call is sent again after a `401`: each has its own. */
export interface Sending {
  readonly call: Call;
  /** From 1. */
  readonly number: number;
  /** Of the token that it is sent with. */
  readonly generation: number;
}

/** How a sending came to its end. */
export type SendingEnd =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly verdict: Verdict;
      /** Transactions that the call names and its success does not: nobody knows what became of them. */
      readonly left?: readonly Reference[];
    }
  /** `not-sent`: not a byte of it was written; `unknown`: Presto may have acted. */
  | { readonly kind: "not-sent" | "unknown"; readonly error: unknown };

/** A call of an earlier process whose end is not known, and which is settled by this one. */
export interface LeftOpen {
  readonly operation: Operation;
  /** As they came; none where the call named none that could be read. */
  readonly references: readonly string[];
  readonly requestId: string;
  /** When it was begun. */
  readonly at: Date;
}

/** A transaction whose money an earlier process has seen to move. */
export interface KnownCompleted {
  readonly operation: Operation;
  /** As it came. */
  readonly reference: string;
  /** When it was taken down. */
  readonly at: Date;
}

/** The end of an open outcome. */
export interface SettledOutcome {
  readonly operation: string;
  /** As it came; undefined where the call named none that could be read. */
  readonly reference: string | undefined;
  /** Of the call whose end was unclear. */
  readonly requestId: string;
  readonly status: "completed" | "failed";
  /** Presto said so when it was asked, or a person did. */
  readonly by: "presto" | "person";
}

/**
 * The record of calls that move money. Every sending goes through it: `begin`, the wait for what it
 * gives, the send, `end`.
 */
export interface MoneyRecord {
  /**
   * Why nothing can be taken down now, so that nothing may be sent; undefined while that is not so. Asked before a call
   * waits for anything: while it waits it holds its transaction, and what a record that can't be read yet holds of that
   * one would come too late.
   */
  refusal(): Problem | undefined;
  /**
   * Takes down that this is about to be sent. Nothing of it is sent before what this gives has
   * resolved; undefined: there is nothing to wait for.
   * @throws or rejects with a `Problem` whose outcome is `not-sent`: then it is not sent, and `end` is not told
   */
  begin(sending: Sending): Promise<void> | undefined;
  /** Told once. It may come before `begin` has resolved, where its time was over: then nothing was sent. Never throws. */
  end(sending: Sending, end: SendingEnd): void;
  /** What became of a call whose end was unclear is known. Never throws. */
  settled(outcome: SettledOutcome): void;
}

/** `PRESTO_AUDIT=off`. */
export const noRecord: MoneyRecord = {
  refusal: () => undefined,
  begin: () => undefined,
  end() {},
  settled() {},
};

/** The innermost step of a call that moves money; the others go by it at the price of one comparison. */
export function withRecord(send: Send, deps: RecordDeps): Send {
  return (call, token, end) => {
    if (movesMoney(call.operation)) new RecordedSend(send, deps, call, token, end).start();
    else send(call, token, end);
  };
}

export interface RecordDeps {
  readonly record: MoneyRecord;
  readonly clock: Pick<Clock, "monotonic">;
}

/** A refusal says nothing of a sending before it that had no clear answer: a gateway's 401, after which the call was sent again. */
function withEarlier(earlier: Verdict | undefined, verdict: Verdict): Verdict {
  return earlier === "unclear" && verdict === "refused" ? earlier : verdict;
}

/** One sending: taken down, sent, judged, and taken down again. */
class RecordedSend implements CallEnd, Waiting, Sending {
  readonly call: Call;
  readonly number: number;
  readonly generation: number;
  readonly #send: Send;
  readonly #deps: RecordDeps;
  readonly #token: Token;
  readonly #end: CallEnd;
  #isOver = false;

  constructor(send: Send, deps: RecordDeps, call: Call, token: Token, end: CallEnd) {
    this.#send = send;
    this.#deps = deps;
    this.call = call;
    this.number = call.attempts + 1;
    this.generation = token.generation;
    this.#token = token;
    this.#end = end;
  }

  start(): void {
    const { call } = this;
    // What was written before was another sending. What was said to it stands until this one is answered.
    call.requestWritten = false;
    let durable: Promise<void> | undefined;
    try {
      durable = this.#deps.record.begin(this);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (durable === undefined) {
      this.#send(call, this.#token, this);
      return;
    }
    call.waiting = this;
    durable.then(
      () => this.#recorded(),
      (error: unknown) => this.#refuse(error),
    );
  }

  /** While its line is being written. */
  cancelled(why: CancelReason): void {
    if (this.#isOver) return;
    this.call.waiting = undefined;
    this.failed(
      why === "caller-gone"
        ? new CallerGone()
        : new Problem("audit-unavailable", {
            detail: "the record of this call could not be written in time; nothing was sent",
            retryAfter: 1,
          }),
    );
  }

  answered(response: Response, transaction?: TransactionStatus): void {
    if (this.#isOver) {
      discard(response);
      return;
    }
    this.#isOver = true;
    const { money } = this.call;
    const verdict = withEarlier(money?.verdict, judge(this.call, response));
    if (money !== undefined) money.verdict = verdict;
    if (verdict === "completed")
      whenWhole(response, (isWhole) => this.#recordAnswer(response, isWhole ? verdict : "unclear"));
    else this.#recordAnswer(response, verdict);
    this.#end.answered(response, transaction);
  }

  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deps.record.end(this, { kind: this.call.requestWritten ? "unknown" : "not-sent", error });
    this.#end.failed(error);
  }

  #recordAnswer(response: Response, verdict: Verdict): void {
    const { status } = response;
    const left = verdict === "completed" ? namedBeside(this.call, response) : [];
    this.#deps.record.end(this, {
      kind: "answered",
      status,
      verdict,
      ...(left.length === 0 ? {} : { left }),
    });
  }

  #recorded(): void {
    if (this.#isOver) return;
    const { call } = this;
    call.waiting = undefined;
    if (call.cancelReason === undefined && this.#deps.clock.monotonic() >= call.deadlineAt)
      this.cancelled("deadline");
    else if (call.cancelReason !== undefined) this.cancelled(call.cancelReason);
    else {
      try {
        this.#send(call, this.#token, this);
      } catch (error) {
        this.failed(error);
      }
    }
  }

  #refuse(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.call.waiting = undefined;
    this.#end.failed(error);
  }
}
