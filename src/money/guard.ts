import type { Clock, Timer } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { Operation } from "../policy/operations.ts";
import type { Call, TransactionView } from "../upstream/call.ts";
import { isPlainReference, keyOf, type Reference } from "../upstream/references.ts";
import { createCompleted } from "./completed.ts";

/** So many that are under way or open may be known at one time; contract and docs name the number. */
export const mostOpen = 10_000;

/** A transaction whose money call is under way, or has ended unclear. */
export interface Entry {
  /** Undefined where the call named no transaction that could be asked about: such a one guards nothing, and is only listed. */
  readonly key: string | undefined;
  readonly operation: Operation;
  readonly reference: string | undefined;
  /** Of the call that took it. */
  readonly requestId: string;
  /** Where Presto is asked for it; undefined where it can't be. */
  readonly askAt: string | undefined;
  /**
   * `in-flight`: its call is under way. `open`: that ended, and may have moved money. `released`: Presto
   * has said `failed`, late enough to be believed, and is asked some more times. `over`: known and forgotten.
   */
  state: "in-flight" | "open" | "released" | "over";
  /** Monotonic time at which its call ended; meaningless while that is under way. */
  givenUpAt: number;
  /** Wall clock of the same, for people. */
  openedAt: number;
  /** What Presto said last, whatever word it was. */
  heard: TransactionView | undefined;
  /** Presto has said `failed`. */
  saidFailed: boolean;
  /** It is not asked for any more. */
  stopped: boolean;
  /** How often it was asked for. */
  questions: number;
  /** Monotonic time of the next question; undefined if none is put off. */
  nextAt: number | undefined;
  timer: Timer | undefined;
}

/** What a call has taken of the guard. It alone gives that back. */
export interface Attempt {
  readonly call: Call;
  /** In the order in which the call names them; the last is the one that servers take. */
  readonly entries: readonly Entry[];
}

/** What an entry is made of. */
interface EntryOf {
  readonly operation: Operation;
  readonly requestId: string;
}

/** A call that is not under way any more, and was not seen to its end. */
export interface Reopened extends EntryOf {
  readonly references: readonly Reference[];
  /** Wall clock. */
  readonly at: number;
}

/** Why a call is not sent. */
export interface GuardRefusal {
  readonly problem: Problem;
  /** What is known of the transaction. */
  readonly transaction: TransactionView | undefined;
}

/** Knows which transactions must not be sent again. */
export interface Guard {
  /** Takes an entry for each transaction that the call names, or none at all. */
  take(call: Call): Attempt | GuardRefusal;
  /** Nothing of the call has had an effect: it may be sent again. */
  free(attempt: Attempt): void;
  /**
   * The money of these has moved; whatever else the call named is open from now on.
   * @param told as the answer names them
   * @returns what is open now
   */
  complete(attempt: Attempt, told: readonly Pick<Reference, "key">[]): readonly Entry[];
  /** The call ended, and may have moved money. @returns what is open now: one entry at least */
  open(attempt: Attempt): readonly Entry[];
  /** A call of an earlier process, whose end is not known. @returns what is open now */
  reopen(call: Reopened): readonly Entry[];
  /** The money of it has moved, as an earlier process has seen. @param at wall clock */
  remember(operation: Operation, reference: Pick<Reference, "key">, at: number): void;
  /** An open one whose money has moved. */
  completed(entry: Entry): void;
  /** An open one of which nothing has moved. @param watched it is asked for some more times */
  released(entry: Entry, watched: boolean): void;
  /** Open entries, the oldest first. */
  list(): readonly Entry[];
  /** Those that are open, or whose call is under way, by their reference in any spelling, or, where they have none, by the id of their call. */
  find(name: string): readonly Entry[];
  /** Forgets that this transaction was completed. @returns the operations of which it was known */
  forgetCompleted(name: string): readonly Operation[];
}

export interface GuardOptions {
  readonly clock: Clock;
  /** How late `failed` must be heard to be believed, milliseconds. */
  readonly settleMs: number;
  /** How many whose money has moved are remembered; as many as is usual unless given. */
  readonly mostCompleted?: number | undefined;
  /** Told when the number of open entries has changed. */
  readonly onChange: (open: number) => void;
}

/** So many of those that were released are asked for some more times. */
const mostReleased = 1_000;

export function createGuard({ clock, settleMs, mostCompleted, onChange }: GuardOptions): Guard {
  /** In flight, open and released, by key. */
  const byKey = new Map<string, Entry>();
  /** All that are open, in the order in which they became so. */
  const openEntries = new Set<Entry>();
  const releasedEntries = new Set<Entry>();
  const completed = createCompleted(clock, mostCompleted);
  /** Those that have named a transaction: a handful. */
  const operations = new Set<Operation>();
  let inFlight = 0;

  function remove(entry: Entry): void {
    entry.timer?.cancel();
    entry.nextAt = undefined;
    if (entry.state === "in-flight") inFlight -= 1;
    entry.state = "over";
    if (entry.key !== undefined && byKey.get(entry.key) === entry) byKey.delete(entry.key);
    releasedEntries.delete(entry);
    if (openEntries.delete(entry)) onChange(openEntries.size);
  }

  function setOpen(entry: Entry): void {
    if (entry.state === "in-flight") inFlight -= 1;
    entry.state = "open";
    entry.givenUpAt = clock.monotonic();
    entry.openedAt = clock.now();
    openEntries.add(entry);
    onChange(openEntries.size);
  }

  /** Only what this attempt has taken, and holds still. */
  const heldBy = (attempt: Attempt): Entry[] => attempt.entries.filter(({ state }) => state === "in-flight");

  function refusalFor(operation: Operation, { key, text }: Reference): GuardRefusal | undefined {
    const full = fullKey(operation, key);
    const completedAt = completed.at(full);
    if (completedAt !== undefined) return knownCompleted(operation, text, completedAt);
    const entry = byKey.get(full);
    if (entry === undefined || entry.state === "released") return undefined;
    return entry.state === "in-flight" ? inFlightRefusal(operation) : openRefusal(entry, clock, settleMs);
  }

  return {
    take(call) {
      const { operation } = call;
      const references = call.money?.references ?? [];
      for (const reference of references) {
        const refusal = refusalFor(operation, reference);
        if (refusal !== undefined) return refusal;
      }
      // One that can't be guarded needs room as well: should it end unclear, it is listed.
      if (inFlight + openEntries.size + Math.max(references.length, 1) > mostOpen) return overfull();
      if (references.length > 0) operations.add(operation);
      const entries = references.map((reference) => createEntry(call, reference));
      for (const entry of entries) {
        if (entry.key === undefined) continue;
        const before = byKey.get(entry.key);
        if (before !== undefined) remove(before);
        byKey.set(entry.key, entry);
        inFlight += 1;
      }
      return { call, entries };
    },
    free(attempt) {
      for (const entry of heldBy(attempt)) remove(entry);
    },
    complete(attempt, told) {
      const { operation } = attempt.call;
      const others: Entry[] = [];
      const keys = told.map(({ key }) => fullKey(operation, key));
      for (const key of keys) completed.add(key);
      if (keys.length > 0) operations.add(operation);
      for (const entry of heldBy(attempt)) {
        if (entry.key === undefined || keys.includes(entry.key)) remove(entry);
        else {
          setOpen(entry);
          others.push(entry);
        }
      }
      return others;
    },
    open(attempt) {
      const entries = heldBy(attempt);
      if (attempt.entries.length === 0) {
        // It has taken nothing so far.
        inFlight += 1;
        entries.push(createEntry(attempt.call, undefined));
      }
      for (const entry of entries) setOpen(entry);
      return entries;
    },
    reopen(call) {
      const { references, operation } = call;
      const entries = (references.length === 0 ? [undefined] : references).map((reference) =>
        createEntry(call, reference),
      );
      if (references.length > 0) operations.add(operation);
      return entries.filter((entry) => {
        if (entry.key !== undefined) {
          if (byKey.has(entry.key)) return false;
          byKey.set(entry.key, entry);
        }
        inFlight += 1;
        setOpen(entry);
        // Given up is counted from now: how long this process was not there, its own clock does not know.
        entry.openedAt = call.at;
        return true;
      });
    },
    remember(operation, { key }, at) {
      operations.add(operation);
      completed.add(fullKey(operation, key), Math.max(0, clock.now() - at));
    },
    completed(entry) {
      if (entry.key !== undefined) completed.add(entry.key);
      remove(entry);
    },
    released(entry, watched) {
      remove(entry);
      if (!watched || entry.key === undefined) return;
      entry.state = "released";
      byKey.set(entry.key, entry);
      releasedEntries.add(entry);
      const [oldest] = releasedEntries;
      if (oldest !== undefined && releasedEntries.size > mostReleased) remove(oldest);
    },
    list: () => [...openEntries],
    find(name) {
      const key = keyOf(name);
      const ofCall = [...openEntries].filter((entry) => entry.key === undefined && entry.requestId === name);
      const byReference = [...operations].flatMap((operation) => byKey.get(fullKey(operation, key)) ?? []);
      return [...ofCall, ...byReference].filter(({ state }) => state === "open" || state === "in-flight");
    },
    forgetCompleted(name) {
      const key = keyOf(name);
      return [...operations].filter((operation) => completed.forget(fullKey(operation, key)));
    },
  };
}

/** One for each operation and transaction. */
function fullKey(operation: Operation, key: string): string {
  return `${operation.name}\n${key}`;
}

function createEntry({ operation, requestId }: EntryOf, reference: Reference | undefined): Entry {
  const isPlain = reference !== undefined && isPlainReference(reference.text);
  return {
    key: reference === undefined ? undefined : fullKey(operation, reference.key),
    operation,
    reference: reference === undefined ? undefined : shown(reference),
    requestId,
    askAt: isPlain ? operation.reconcile?.path.replace("{reference}", reference.text) : undefined,
    state: "in-flight",
    givenUpAt: 0,
    openedAt: 0,
    heard: undefined,
    saidFailed: false,
    stopped: false,
    questions: 0,
    nextAt: undefined,
    timer: undefined,
  };
}

/** One that is longer than any path takes is shown by its key, which can be given back. */
function shown({ text, key }: Reference): string {
  return text.length <= 128 ? text : key;
}

function where(operation: Operation): string {
  return `ask what became of it with GET ${operation.reconcile?.path ?? "the operation's own query"}`;
}

function inFlightRefusal(operation: Operation): GuardRefusal {
  return {
    problem: new Problem("duplicate-confirm", {
      detail: `a call for the same transaction is under way; nothing of this one was sent: wait for the other's answer, or ${where(operation)}`,
      retryAfter: 1,
    }),
    transaction: undefined,
  };
}

function openRefusal(entry: Entry, clock: Clock, settleMs: number): GuardRefusal {
  const { operation, heard, saidFailed, nextAt, givenUpAt } = entry;
  const now = clock.monotonic();
  // Until then `failed` is not believed, whoever says it.
  const waitsMs = (saidFailed ? givenUpAt + settleMs : (nextAt ?? now)) - now;
  const isAsked = entry.askAt !== undefined && !entry.stopped;
  return {
    problem: new Problem("duplicate-confirm", {
      detail: `an earlier call for the same transaction has no known end, and may have moved the money; nothing of this one was sent: ${where(operation)}`,
      ...(isAsked ? { retryAfter: Math.max(1, Math.ceil(waitsMs / 1_000)) } : {}),
    }),
    transaction: heard,
  };
}

function knownCompleted(operation: Operation, reference: string, at: number): GuardRefusal {
  return {
    problem: new Problem("duplicate-confirm", {
      detail: `the money of this transaction has moved already; nothing of this call was sent: ${where(operation)}`,
    }),
    transaction: { reference, status: "completed", askedAt: new Date(at) },
  };
}

function overfull(): GuardRefusal {
  return {
    problem: new Problem("overloaded", {
      detail:
        "as many calls that move money are under way or without a known end as may be; nothing was sent. See presto-sidecar outcomes",
      retryAfter: 10,
    }),
    transaction: undefined,
  };
}
