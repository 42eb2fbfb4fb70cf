import type { Clock } from "../clock.ts";
import { backOffMs, cancel } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import type { Call, Perform, TransactionView } from "../upstream/call.ts";
import type { MoneyEvent } from "./events.ts";
import type { Entry, Guard } from "./guard.ts";
import { askAbout } from "./question.ts";
import type { MoneyRecord } from "./record.ts";

/** How long open outcomes are asked for, milliseconds. */
export interface SettleTimes {
  /** The longest that Presto may still execute a call that was given up: before that `failed` is not believed. */
  readonly settleMs: number;
  /** After that nobody asks any more, and a person decides. */
  readonly settleOutcomesMs: number;
  /** One question. */
  readonly questionMs: number;
}

export interface SettlerDeps {
  readonly guard: Guard;
  /** Takes a question to Presto with turns of its own, so that it waits behind no caller. */
  readonly perform: Perform;
  readonly record: MoneyRecord;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly emit: Emit<MoneyEvent>;
}

/** Finds out what became of calls whose end is unclear. */
export interface Settler {
  /** Asks at once, and then ever more seldom until it is known. `told` hears what the first question brought, unless that can't be asked. */
  begin(entry: Entry, told: (view: TransactionView) => void): void;
  /** A person knows it. */
  resolve(entry: Entry, status: "completed" | "failed"): void;
  close(): void;
}

/** Between two questions: docs name the longer one. */
const pauses = { firstMs: 1_000, mostMs: 60_000 };

/** So many are asked about at one time, beside those whose callers wait. */
export const mostInBackground = 4;

/** One that was released is asked for once more after so long, and then so long again: a `completed` that comes late must be heard of. */
const watchMs = [60_000, 10 * 60_000, 60 * 60_000] as const;

export function createSettler(times: SettleTimes, deps: SettlerDeps): Settler {
  return new BackgroundSettler(times, deps);
}

class BackgroundSettler implements Settler {
  readonly #times: SettleTimes;
  readonly #deps: SettlerDeps;
  #isClosed = false;
  readonly #underWay = new Set<Call>();
  /** Due, and waiting for a turn, in the order in which they became so. */
  readonly #due = new Set<Entry>();
  /** How often those that were released were asked for since. */
  readonly #watched = new WeakMap<Entry, number>();
  #running = 0;

  constructor(times: SettleTimes, deps: SettlerDeps) {
    this.#times = times;
    this.#deps = deps;
  }

  begin(entry: Entry, told: (view: TransactionView) => void): void {
    if (entry.askAt === undefined) return;
    void this.#ask(entry).then((view) => {
      if (view !== undefined) told(view);
    });
  }

  resolve(entry: Entry, status: "completed" | "failed"): void {
    this.#settled(entry, status, "person");
  }

  close(): void {
    this.#isClosed = true;
    for (const question of this.#underWay) cancel(question, "deadline");
    this.#due.clear();
    for (const entry of this.#deps.guard.list()) entry.timer?.cancel();
  }

  async #ask(entry: Entry): Promise<TransactionView | undefined> {
    const { clock, perform } = this.#deps;
    const { askAt, reference, requestId, operation } = entry;
    if (askAt === undefined || reference === undefined || this.#isClosed) return undefined;
    entry.questions += 1;
    entry.nextAt = undefined;
    const askedAt = clock.monotonic();
    const wallClock = new Date(clock.now());
    const { status, waitMs } = await askAbout(
      { path: askAt, reference, requestId, member: operation.reconcile?.member ?? "" },
      { perform, clock, timeoutMs: this.#times.questionMs, underWay: this.#underWay },
    );
    const view = { reference, status, askedAt: wallClock };
    this.#heard(entry, view, askedAt, waitMs);
    return view;
  }

  #heard(entry: Entry, view: TransactionView, askedAt: number, waitMs: number): void {
    // A person may have been faster, or the process is at its end.
    if (entry.state === "over" || this.#isClosed) return;
    if (view.status !== "not-known" || entry.heard === undefined) entry.heard = view;
    if (view.status === "completed") {
      this.#settled(entry, "completed", "presto");
      return;
    }
    if (view.status === "failed") {
      entry.saidFailed = true;
      const isLate = askedAt >= entry.givenUpAt + this.#times.settleMs;
      if (entry.state === "open" && isLate) {
        this.#settled(entry, "failed", "presto");
        this.#watch(entry);
        return;
      }
    }
    if (entry.state === "released") this.#watch(entry);
    else this.#putOff(entry, waitMs);
  }

  #settled(entry: Entry, status: "completed" | "failed", by: "presto" | "person"): void {
    const { guard, record, clock, emit } = this.#deps;
    const { operation, reference, requestId, saidFailed, state } = entry;
    const facts = { operation: operation.name, requestId };
    if (status === "completed") {
      guard.completed(entry);
      if (saidFailed && by === "presto") emit({ type: "completed-after-failed", ...facts });
    } else guard.released(entry, by === "presto");
    // One that was released has had its end before; that it has another now is more than an end.
    if (state === "released" && status === "failed") return;
    record.settled({ ...facts, reference, status, by });
    emit({
      type: "outcome-settled",
      ...facts,
      reference,
      status,
      by,
      contradicts: status === "completed" && saidFailed,
      at: clock.now(),
      ms: clock.monotonic() - entry.givenUpAt,
    });
  }

  #watch(entry: Entry): void {
    if (entry.state !== "released") return;
    const count = this.#watched.get(entry) ?? 0;
    this.#watched.set(entry, count + 1);
    const waitMs = watchMs[count];
    if (waitMs === undefined) this.#deps.guard.released(entry, false);
    else this.#askIn(entry, waitMs);
  }

  #putOff(entry: Entry, leastMs: number): void {
    const { settleMs, settleOutcomesMs } = this.#times;
    const now = this.#deps.clock.monotonic();
    const leftMs = entry.givenUpAt + settleOutcomesMs - now;
    if (leftMs <= 0) {
      entry.stopped = true;
      this.#deps.emit({
        type: "outcome-given-up",
        operation: entry.operation.name,
        requestId: entry.requestId,
      });
      return;
    }
    const pauseMs = Math.max(backOffMs(pauses, entry.questions, this.#deps.random()), leastMs);
    // A `failed` that was heard early is asked for anew as soon as it would be believed.
    const believedInMs = entry.saidFailed ? entry.givenUpAt + settleMs - now : 0;
    this.#askIn(entry, Math.min(pauseMs, leftMs, believedInMs > 0 ? believedInMs : pauseMs));
  }

  #askIn(entry: Entry, ms: number): void {
    const { clock } = this.#deps;
    entry.nextAt = clock.monotonic() + ms;
    entry.timer = clock.after(ms, () => {
      this.#due.add(entry);
      this.#next();
    });
  }

  #next(): void {
    for (const entry of this.#due) {
      if (this.#running >= mostInBackground) return;
      this.#due.delete(entry);
      if (entry.state === "over") continue;
      this.#running += 1;
      void this.#ask(entry).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}
