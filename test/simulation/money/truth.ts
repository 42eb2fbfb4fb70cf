import type { Random } from "../random.ts";
import type { MoneyScenario } from "./scenario.ts";

/** One confirm that has reached Presto. */
export interface Execution {
  /** Of the call. */
  readonly id: string;
  /** Which sidecar has sent it. */
  readonly site: string;
  /** When its money moves, or has moved; undefined: never. */
  readonly movesAt: number | undefined;
  readonly sentAt: number;
  /** Its sender can't know from the answer what became of it. */
  readonly isUnclear: boolean;
}

/** What Presto does with a confirm, and what it lets its sender know. */
export interface Fate {
  /** After so many milliseconds; undefined: nothing moves. */
  readonly movesIn: number | undefined;
  readonly answer: AnswerKind;
  /** Milliseconds. */
  readonly answerIn: number;
}

export type AnswerKind =
  | "good"
  | "reset"
  | "silence"
  | "error"
  | "page"
  | "conflict"
  | "too-late"
  | "empty"
  | "another"
  | "redirect"
  | "busy"
  | "unavailable"
  | "refusal";

/** Answers after which nobody knows whether the money has moved. */
const unclearAnswers = [
  "reset",
  "silence",
  "error",
  "page",
  "conflict",
  "too-late",
  "empty",
  "another",
  "redirect",
  "unavailable",
] as const;

/** What Presto knows of its transactions, and what it says of them when it is asked. */
export interface Truth {
  begin(reference: string): void;
  isKnown(reference: string): boolean;
  /** What becomes of a confirm that arrives now. @param isBad faults may befall it */
  decide(reference: string, isBad: boolean): Fate;
  executed(reference: string, execution: Execution): void;
  /** How often its money has moved. */
  moved(reference: string): number;
  /** Has it moved, or will it? */
  mayMove(reference: string): boolean;
  executions(reference: string): readonly Execution[];
  /** Nothing has moved, and it is void for good. */
  isVoid(reference: string): boolean;
  /** What the status service says now; undefined: it knows none of that name. */
  says(reference: string): "completed" | "failed" | "pending" | undefined;
}

interface Transaction {
  readonly executions: Execution[];
  /** After its last confirm it is void after so long, unless its money has moved; undefined: never. */
  readonly voidsIn: number | undefined;
}

export function createTruth(scenario: MoneyScenario, random: Random, now: () => number): Truth {
  const { settleMs, lagMs, isWise, timeoutMs, badAnswers } = scenario;
  const transactions = new Map<string, Transaction>();

  const executions = (reference: string): readonly Execution[] =>
    transactions.get(reference)?.executions ?? [];
  const movedBefore = (reference: string, at: number): number =>
    executions(reference).filter(({ movesAt }) => movesAt !== undefined && movesAt <= at).length;
  const moved = (reference: string): number => movedBefore(reference, now());
  const willMove = (reference: string): boolean =>
    executions(reference).some(({ movesAt }) => movesAt !== undefined && movesAt > now());

  function isVoid(reference: string): boolean {
    const transaction = transactions.get(reference);
    const last = transaction?.executions.at(-1);
    if (transaction?.voidsIn === undefined || last === undefined) return false;
    return moved(reference) === 0 && !willMove(reference) && now() >= last.sentAt + transaction.voidsIn;
  }

  /** A confirm is carried out before SETTLE has passed since its sender gave it up: in one kind of world Presto does not keep to that. */
  function lateness(): number {
    if (scenario.kind === "late-word") return settleMs + timeoutMs + random.between(1_000, 50_000);
    return random.between(0, settleMs - 100);
  }

  return {
    begin(reference) {
      const voidsIn = random.chance(0.7) ? random.between(0, 3 * settleMs) : undefined;
      transactions.set(reference, { executions: [], voidsIn });
    },
    isKnown: (reference) => transactions.has(reference),
    decide(reference, isBad) {
      const isRepeat = moved(reference) > 0 || willMove(reference);
      const soon = random.between(1, 200);
      if (isWise && isRepeat) return { movesIn: undefined, answer: "conflict", answerIn: soon };
      if (!isBad || !random.chance(badAnswers)) return { movesIn: 0, answer: "good", answerIn: soon };
      const answer = random.pick(unclearAnswers);
      switch (random.whole(0, 7)) {
        case 0:
          return { movesIn: 0, answer, answerIn: soon };
        case 1:
          return { movesIn: undefined, answer, answerIn: soon };
        case 2:
          return { movesIn: lateness(), answer, answerIn: soon };
        case 3:
          return { movesIn: 0, answer: "good", answerIn: random.between(0.3, 1.7) * timeoutMs };
        case 4:
          return { movesIn: undefined, answer: "refusal", answerIn: soon };
        case 5:
          return { movesIn: undefined, answer: "busy", answerIn: soon };
        case 6:
          return { movesIn: 0, answer: "reset", answerIn: random.between(0, timeoutMs) };
        default:
          return { movesIn: lateness(), answer: random.pick(["silence", "reset"]), answerIn: soon };
      }
    },
    executed: (reference, execution) => void transactions.get(reference)?.executions.push(execution),
    moved,
    mayMove: (reference) => moved(reference) > 0 || willMove(reference),
    executions,
    isVoid,
    says(reference) {
      if (!transactions.has(reference)) return undefined;
      if (movedBefore(reference, now() - lagMs) > 0) return "completed";
      // What looks after states lags behind.
      if (moved(reference) > 0) return random.chance(0.5) ? "pending" : undefined;
      if (willMove(reference)) return random.chance(0.5) ? "failed" : "pending";
      return isVoid(reference) ? "failed" : "pending";
    },
  };
}
