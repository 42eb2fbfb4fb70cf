import type { Clock } from "../clock.ts";
import type { Emit } from "../lib/events.ts";
import type { Perform } from "../upstream/call.ts";
import { keyOf } from "../upstream/references.ts";
import type { MoneyEvent } from "./events.ts";
import { createGuard } from "./guard.ts";
import { createOutcomes, type Outcomes } from "./outcomes.ts";
import { createMoneyPath } from "./perform.ts";
import type { KnownCompleted, LeftOpen, MoneyRecord } from "./record.ts";
import { createSettler, type SettleTimes } from "./settle.ts";

export interface MoneyOptions extends SettleTimes {
  /** How many transactions are remembered whose money has moved; as many as is usual unless given: worlds of a simulation are small, and many. */
  readonly mostCompleted?: number;
}

export interface MoneyDeps {
  /** Brings a call to Presto and back: with the token, a turn, and its line in the record. */
  readonly perform: Perform;
  /** The same for questions of our own, with turns of their own. */
  readonly ask: Perform;
  readonly record: MoneyRecord;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly emit: Emit<MoneyEvent>;
}

/** All that calls which move money go through beside what every call does. */
export interface Money {
  readonly perform: Perform;
  readonly outcomes: Outcomes;
  /** Begins to settle what an earlier process has left, and remembers whose money has moved; the oldest first. */
  reopen(left: readonly LeftOpen[], completed: readonly KnownCompleted[]): void;
  close(): void;
}

export function createMoney(options: MoneyOptions, deps: MoneyDeps): Money {
  const { perform, ask, record, clock, random } = deps;
  const guard = createGuard({
    clock,
    settleMs: options.settleMs,
    mostCompleted: options.mostCompleted,
    onChange: (open) => deps.emit({ type: "outcomes-changed", open }),
  });
  const emit: Emit<MoneyEvent> = (event) => {
    if (event.type === "outcome-settled") outcomes.note(event);
    deps.emit(event);
  };
  const settler = createSettler(options, { guard, perform: ask, record, clock, random, emit });
  const outcomes = createOutcomes({
    guard,
    settler,
    clock,
    onForgotten(operation, reference) {
      const facts = { operation, reference, requestId: "none", status: "failed", by: "person" } as const;
      record.settled(facts);
      emit({ type: "outcome-settled", ...facts, contradicts: true, at: clock.now(), ms: 0 });
    },
  });
  return {
    perform: createMoneyPath({ perform, record, guard, settler, clock, emit }),
    outcomes,
    reopen(left, completed) {
      for (const { operation, reference, at } of completed)
        guard.remember(operation, { key: keyOf(reference) }, at.getTime());
      for (const { operation, references, requestId, at } of left) {
        const named = references.map((text) => ({ text, isNumber: false, key: keyOf(text) }));
        const opened = guard.reopen({ operation, requestId, references: named, at: at.getTime() });
        for (const entry of opened) settler.begin(entry, () => {});
      }
    },
    close: () => settler.close(),
  };
}
