import type { Clock, Timer } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { CancelReason, Waiting } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import { AnswerToAnother } from "../upstream/answered-for.ts";
import {
  type Call,
  type CallEnd,
  CallerGone,
  type MoneyFacts,
  type Perform,
  type Response,
  type TransactionView,
  whenWhole,
} from "../upstream/call.ts";
import {
  answeredReferences,
  type NamedReferences,
  readMultipartReferences,
  readReferences,
} from "../upstream/references.ts";
import type { MoneyEvent, UnaskableReason } from "./events.ts";
import type { Attempt, Entry, Guard } from "./guard.ts";
import type { MoneyRecord } from "./record.ts";
import type { Settler } from "./settle.ts";

export interface MoneyPathDeps {
  /** Sends: the token, the turn, the record, Presto. */
  readonly perform: Perform;
  readonly record: Pick<MoneyRecord, "refusal">;
  readonly guard: Guard;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly emit: Emit<MoneyEvent>;
}

/**
 * Where a reply of Presto's is in hand, its caller waits no longer than this to be told what became
 * of the money, milliseconds.
 */
const longestWaitMs = 2_000;

/** The outermost step of a call that moves money: no transaction is sent twice, and an unclear end is asked about. */
export function createMoneyPath(deps: MoneyPathDeps): Perform {
  return (call, end) => {
    const { reconcile } = call.operation;
    const reading = reconcile === undefined ? undefined : readMultipartReferences(call, reconcile.member);
    if (reading === undefined) new MoneyCall(deps, call, namedBy(call), end).start();
    else
      reading
        .then((named) => {
          if (call.cancelReason === undefined) new MoneyCall(deps, call, named, end).start();
          else end.failed(stopped(call.cancelReason));
        })
        .catch((error: unknown) => end.failed(error));
  };
}

/** What a call ends with that was stopped while its form was read. */
function stopped(why: CancelReason): Error {
  if (why === "caller-gone") return new CallerGone();
  return new Problem("overloaded", { detail: "time ran out before anything was sent", retryAfter: 1 });
}

/** One call that moves money, from the guard to its end. */
class MoneyCall implements CallEnd, Waiting {
  readonly #deps: MoneyPathDeps;
  readonly #call: Call;
  readonly #facts: MoneyFacts;
  readonly #end: CallEnd;
  #attempt: Attempt | undefined;
  /** Whoever waits for what Presto says of an unclear end. */
  #tell: ((view: TransactionView | undefined) => void) | undefined;
  #timer: Timer | undefined;
  /** Monotonic: until when that is waited for. */
  #until = Number.POSITIVE_INFINITY;
  /** What is told where nothing came by then. */
  #unheard: TransactionView | undefined;

  constructor(deps: MoneyPathDeps, call: Call, named: NamedReferences, end: CallEnd) {
    this.#deps = deps;
    this.#call = call;
    this.#end = end;
    this.#facts = { ...named, verdict: undefined };
    call.money = this.#facts;
  }

  start(): void {
    const { guard, record, emit, perform } = this.#deps;
    const { operation, requestId } = this.#call;
    const taken = guard.take(this.#call);
    if ("problem" in taken) {
      const { problem, transaction } = taken;
      if (transaction !== undefined) this.#facts.told = { status: transaction.status, reference: undefined };
      this.#end.failed(problem, transaction);
      return;
    }
    const refusal = record.refusal();
    if (refusal !== undefined) {
      guard.free(taken);
      this.#end.failed(refusal);
      return;
    }
    this.#attempt = taken;
    const { unread } = this.#facts;
    if (unread !== undefined && operation.reconcile !== undefined)
      emit({ type: "money-unguarded", operation: operation.name, requestId, reason: unread });
    try {
      perform(this.#call, this);
    } catch (error) {
      this.failed(error);
    }
  }

  answered(response: Response): void {
    const attempt = this.#take();
    if (attempt === undefined) return;
    const { guard } = this.#deps;
    switch (this.#facts.verdict) {
      case "refused":
        guard.free(attempt);
        break;
      case "completed":
        whenWhole(response, (isWhole) => this.#completed(attempt, response, isWhole));
        break;
      default:
        this.#unclear(
          attempt,
          Math.min(this.#call.lastAt, this.#deps.clock.monotonic() + longestWaitMs),
          (view) => this.#end.answered(response, view?.status ?? "not-known"),
        );
        return;
    }
    this.#end.answered(response);
  }

  failed(error: unknown): void {
    const attempt = this.#take();
    if (attempt === undefined) return;
    if (wasNotSent(error, this.#call)) {
      this.#deps.guard.free(attempt);
      this.#end.failed(error);
      return;
    }
    const { operation, requestId } = this.#call;
    if (error instanceof AnswerToAnother)
      this.#deps.emit({ type: "answer-to-another", operation: operation.name, requestId });
    this.#unclear(attempt, this.#call.lastAt, (view) => this.#end.failed(error, view));
  }

  /** A success that was cut on its way may have lost what it had to say: nobody knows what became of the call. */
  #completed(attempt: Attempt, response: Response, isWhole: boolean): void {
    const { guard } = this.#deps;
    const { reconcile } = this.#call.operation;
    const told = reconcile === undefined ? [] : answeredReferences(response, reconcile.member);
    const open = isWhole ? guard.complete(attempt, told) : guard.open(attempt);
    if (!isWhole) this.#facts.told = { status: "not-known", reference: undefined };
    for (const entry of open) this.#ask(entry, () => {});
  }

  /** Its end is told once. */
  #take(): Attempt | undefined {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    return attempt;
  }

  /** Asks, and tells what is known by `until` (monotonic). A caller that has gone waits for nothing. */
  #unclear(attempt: Attempt, until: number, tell: (view: TransactionView | undefined) => void): void {
    const { guard, clock } = this.#deps;
    const entries = guard.open(attempt);
    const waitedFor = entries.at(-1);
    const askedAt = new Date(clock.now());
    const reference = waitedFor?.askAt === undefined ? undefined : waitedFor.reference;
    this.#facts.told = { status: "not-known", reference };
    this.#tell = tell;
    for (const entry of entries) this.#ask(entry, (view) => entry === waitedFor && this.#tellOnce(view));
    if (reference === undefined || this.#call.cancelReason === "caller-gone") this.#tellOnce(undefined);
    else if (this.#tell !== undefined) {
      this.#unheard = { reference, status: "not-known", askedAt };
      this.#call.waiting = this;
      this.#wait(until);
    }
  }

  /** The deadline leaves what is kept back for the question; where the process ends, that is less by then. */
  cancelled(why: CancelReason): void {
    if (why === "caller-gone") this.#tellOnce(undefined);
    else this.#wait(this.#call.lastAt);
  }

  #wait(until: number): void {
    const { clock } = this.#deps;
    this.#until = Math.min(this.#until, until);
    this.#timer?.cancel();
    this.#timer = clock.after(this.#until - clock.monotonic(), () => this.#tellOnce(this.#unheard));
  }

  #tellOnce(view: TransactionView | undefined): void {
    const tell = this.#tell;
    if (tell === undefined) return;
    this.#tell = undefined;
    this.#timer?.cancel();
    if (this.#call.waiting === this) this.#call.waiting = undefined;
    if (view !== undefined) this.#facts.told = view;
    tell(view);
  }

  #ask(entry: Entry, told: (view: TransactionView) => void): void {
    const { operation, requestId } = entry;
    this.#deps.emit({
      type: "outcome-open",
      operation: operation.name,
      requestId,
      unaskable: unaskableReason(entry),
    });
    this.#deps.settler.begin(entry, told);
  }
}

function namedBy(call: Call): NamedReferences {
  const { reconcile } = call.operation;
  return reconcile === undefined
    ? { references: [], unread: undefined }
    : readReferences(call, reconcile.member);
}

/** Is it sure that not a byte of it has reached Presto, or that Presto did nothing? */
function wasNotSent(error: unknown, call: Call): boolean {
  if (error instanceof Problem) return error.outcome === "not-sent";
  // A caller that has gone, or a fault of this program's own.
  return call.attempts === 0 || (error instanceof CallerGone && !call.requestWritten);
}

export function unaskableReason({ askAt, operation, reference }: Entry): UnaskableReason | undefined {
  if (askAt !== undefined) return undefined;
  if (operation.reconcile === undefined) return "no-ask";
  return reference === undefined ? "no-reference" : "not-plain";
}
