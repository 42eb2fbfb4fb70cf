import type { Clock } from "../clock.ts";
import type { TransactionStatus } from "../upstream/call.ts";
import type { OutcomeSettled, UnaskableReason } from "./events.ts";
import type { Entry, Guard } from "./guard.ts";
import { unaskableReason } from "./perform.ts";
import type { Settler } from "./settle.ts";

/** A money call without a known end, as it is shown. */
export interface OpenOutcome {
  readonly reference: string | undefined;
  readonly operation: string;
  readonly requestId: string;
  /** When its call ended. */
  readonly since: Date;
  readonly ageMs: number;
  /** What Presto said last, and when it was asked; undefined where no answer said anything. */
  readonly heard: TransactionStatus | undefined;
  readonly askedAt: Date | undefined;
  /** In how many milliseconds it is asked for again; undefined if it is not. */
  readonly nextInMs: number | undefined;
  /** Why Presto can't be asked. */
  readonly unaskable: UnaskableReason | undefined;
  /** `PRESTO_SETTLE_OUTCOMES` has passed. */
  readonly stopped: boolean;
}

/** What became of resolving one by hand. `in-flight`: its call is under way. */
export type ResolveReply = "resolved" | "in-flight" | "not-known";

/** The money calls whose end was, or is, unclear. */
export interface Outcomes {
  /** The oldest first. */
  open(): readonly OpenOutcome[];
  /** Those whose end was found out last, the newest first. */
  recent(): readonly OutcomeSettled[];
  /** Their number, and the greatest age in milliseconds. */
  summary(): { readonly open: number; readonly oldestMs: number | undefined };
  /** A person knows what became of it. @param name the reference in any spelling, or the id of a call that has none */
  resolve(name: string, as: "completed" | "failed"): ResolveReply;
}

const mostRecent = 100;

export interface OutcomesDeps {
  readonly guard: Guard;
  readonly settler: Settler;
  readonly clock: Clock;
  /** A person has said that nothing moved of one that was known to be completed: it may be sent again. */
  readonly onForgotten: (operation: string, reference: string) => void;
}

export function createOutcomes({ guard, settler, clock, onForgotten }: OutcomesDeps): Outcomes & {
  readonly note: (settled: OutcomeSettled) => void;
} {
  const recent: OutcomeSettled[] = [];

  return {
    note(settled) {
      recent.unshift(settled);
      recent.length = Math.min(recent.length, mostRecent);
    },
    open: () => guard.list().map((entry) => describe(entry, clock)),
    recent: () => recent,
    summary() {
      const open = guard.list();
      return { open: open.length, oldestMs: oldestAgeMs(open, clock) };
    },
    resolve(name, as) {
      const found = guard.find(name);
      if (found.some(({ state }) => state === "in-flight")) return "in-flight";
      for (const entry of found) settler.resolve(entry, as);
      const forgotten = as === "failed" ? guard.forgetCompleted(name) : [];
      for (const operation of forgotten) onForgotten(operation.name, name);
      return found.length + forgotten.length > 0 ? "resolved" : "not-known";
    },
  };
}

function oldestAgeMs(open: readonly Entry[], clock: Clock): number | undefined {
  const [first] = open;
  return first === undefined ? undefined : Math.max(...open.map((entry) => ageMs(entry, clock)));
}

/** By the monotonic clock, unless it was left by an earlier process: then by the wall clock. */
function ageMs({ givenUpAt, openedAt }: Entry, clock: Clock): number {
  return Math.max(clock.monotonic() - givenUpAt, clock.now() - openedAt);
}

function describe(entry: Entry, clock: Clock): OpenOutcome {
  const { reference, operation, requestId, heard, nextAt, stopped } = entry;
  return {
    reference,
    operation: operation.name,
    requestId,
    since: new Date(entry.openedAt),
    ageMs: ageMs(entry, clock),
    heard: heard?.status,
    askedAt: heard?.askedAt,
    nextInMs: nextAt === undefined ? undefined : Math.max(0, nextAt - clock.monotonic()),
    unaskable: unaskableReason(entry),
    stopped,
  };
}
