import type { Problem } from "../../src/errors.ts";
import type { MoneyEvent } from "../../src/money/events.ts";
import { createMoney, type Money } from "../../src/money/money.ts";
import type { SettledOutcome } from "../../src/money/record.ts";
import type { SettleTimes } from "../../src/money/settle.ts";
import type { Operation } from "../../src/policy/operations.ts";
import type {
  Call,
  CallEnd,
  Response,
  TransactionStatus,
  TransactionView,
  Verdict,
} from "../../src/upstream/call.ts";
import { createHandClock, type HandClock } from "./hand-clock.ts";
import { plainCall } from "./plain-call.ts";

/** A call at the bench, and what its caller was told. */
export interface BenchCall {
  readonly call: Call;
  /** Ends what was sent; undefined while nothing was. */
  readonly end: CallEnd | undefined;
  /** `200`, `409 duplicate-confirm`… with what was said of the transaction; undefined while it has not ended. */
  told:
    | { readonly what: unknown; readonly transaction: TransactionView | TransactionStatus | undefined }
    | undefined;
  /** Answers as Presto would, and as the answer was judged. */
  answer(status: number, verdict: Verdict, body?: string): void;
}

export interface MoneyBench {
  readonly clock: HandClock;
  readonly money: Money;
  readonly events: MoneyEvent[];
  readonly settled: SettledOutcome[];
  /** Paths of the questions so far. */
  readonly questions: string[];
  /** What Presto says from now on; an Error is a lost answer, undefined is silence. */
  says(answer: string | Error | undefined): void;
  /** Its answers to questions have this Retry-After from now on. */
  pauses(retryAfter: string | undefined): void;
  /** The record can't take calls down from now on, or (undefined) can. */
  refuses(problem: Problem | undefined): void;
  confirm(reference: string, more?: Partial<Call>): BenchCall;
}

const benchTimes: SettleTimes = { settleMs: 90_000, settleOutcomesMs: 3_600_000, questionMs: 10_000 };

/** The money path over a hand clock and a Presto that a test speaks for. */
export function createMoneyBench(
  times: Partial<SettleTimes> = {},
  onSend?: (call: Call) => void,
): MoneyBench {
  const clock = createHandClock();
  const events: MoneyEvent[] = [];
  const settled: SettledOutcome[] = [];
  const questions: string[] = [];
  let saying: string | Error | undefined;
  let pause: string | undefined;
  let refusal: Problem | undefined;
  let last: CallEnd | undefined;
  const money = createMoney(
    { ...benchTimes, ...times },
    {
      perform(call, end) {
        call.attempts += 1;
        call.requestWritten = true;
        last = end;
        onSend?.(call);
      },
      ask(call, end) {
        questions.push(call.target);
        call.waiting = { cancelled: () => end.failed(new Error("late")) };
        if (saying instanceof Error) end.failed(saying);
        else if (saying !== undefined) end.answered(withPause(json(200, saying), pause));
      },
      record: {
        refusal: () => refusal,
        begin: () => undefined,
        end() {},
        settled: (outcome) => void settled.push(outcome),
      },
      clock,
      random: () => 1,
      emit: (event) => void events.push(event),
    },
  );
  return {
    clock,
    money,
    events,
    settled,
    questions,
    says(answer) {
      saying = answer;
    },
    pauses(retryAfter) {
      pause = retryAfter;
    },
    refuses(problem) {
      refusal = problem;
    },
    confirm(reference, more = {}) {
      const call: Call = {
        ...plainCall(clock.monotonic(), 20_000, "wallet.confirm"),
        target: "/api/institutions/v1/wallet/confirm",
        body: Buffer.from(JSON.stringify({ transaction_reference: reference })),
        ...more,
      };
      last = undefined;
      const made: { told: BenchCall["told"] } = { told: undefined };
      money.perform(call, {
        answered: ({ status }, transaction) => void (made.told = { what: status, transaction }),
        failed: (error, transaction) => void (made.told = { what: error, transaction }),
      });
      const end = last;
      return Object.assign(made, {
        call,
        end,
        answer(status: number, verdict: Verdict, body = "{}") {
          if (call.money !== undefined) call.money.verdict = verdict;
          endOf(end).answered(json(status, body));
        },
      });
    },
  };
}

/** What was sent. @throws where nothing was */
export function endOf(end: CallEnd | undefined): CallEnd {
  if (end === undefined) throw new Error("nothing was sent");
  return end;
}

function withPause(response: Response, pause: string | undefined): Response {
  const headers = pause === undefined ? [] : ["Retry-After", pause];
  return { ...response, headers: [...response.headers, ...headers] };
}

function json(status: number, body: string): Response {
  return { status, headers: ["Content-Type", "application/json"], body: Buffer.from(body) };
}

/** One that moves and can't be asked about. */
export const unaskable: Operation = { name: "POST /pay", method: "POST", template: "/pay", nature: "moves" };
