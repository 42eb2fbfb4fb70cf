import type { Clock } from "../clock.ts";
import { dayMs } from "../lib/duration.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Account, IssueEnd, IssuedToken, Issuer } from "../presto/auth.ts";
import type { Probe, ProbeVerdict } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type {
  HeldLock,
  Home,
  Intent,
  RenewalLock,
  RenewalReason,
  StoredRecord,
  TokenRecord,
  WritableStore,
  WrittenBy,
} from "../store/contract.ts";
import { fillInHome } from "../store/home.ts";
import type { Accounts } from "./accounts.ts";
import type { ClockAlarm } from "./clock-alarm.ts";
import { createRememberedToken, type RememberedToken } from "./remembering.ts";
import type { PendingRequest } from "./requests.ts";
import { type RenewalEnd, type RenewalEvent, type RenewalTimes, unreachable } from "./types.ts";

/** Those who use the token in this process, if any do. */
export interface TokenConsumer {
  /** What stands in the store may have changed by our own hand: look, and then resolve. Never rejects. */
  noticeRecord(): Promise<void>;
  /** Resolves when none of the calls that are being sent is left, or after `maxMs`. */
  quiet(maxMs: number): Promise<void>;
  /** A new token that works and is not stored yet: use it from now on. */
  setPending(candidate: IssuedToken, generation: number): void;
  /** That token has turned out dead: forget it. */
  discardPending(candidate: IssuedToken): void;
  /** What a probe said of a token. */
  probed(token: Secret, verdict: ProbeVerdict): void;
}

/** What a renewal needs. Everything that waits, chances or talks is passed in. */
export interface RenewalDeps {
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly issuer: Pick<Issuer, "issueToken">;
  readonly accounts: Accounts;
  /** Asks Presto whether a token lives. Never rejects. */
  readonly probe: Probe;
  /** Presto's wall clock as far as it is known, milliseconds since 1970. */
  readonly prestoNow: () => number;
  /** False while this process would leave from an address that is not registered: no renewal is begun then. */
  readonly mayLeave: () => boolean;
  readonly consumer: TokenConsumer;
  readonly clock: Clock;
  readonly emit: Emit<RenewalEvent | Warning>;
  readonly times: RenewalTimes;
  /** UUID of this process, new at every start. */
  readonly holder: string;
  readonly newId: () => string;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** What the token is asked for with. */
  readonly tokenName: string;
  readonly tokenDays: number;
  /** Is a renewal of this record due by the clock (no token, or old enough)? `now` is wall clock, milliseconds since 1970. */
  readonly isDue: (record: TokenRecord | undefined, now: number) => boolean;
  /** Latched while the clock makes each new token due at once: `isDue` heeds it. */
  readonly clockAlarm: ClockAlarm;
  /** Answers false where only a person may have tokens issued (`PRESTO_RENEW=manual`). */
  readonly automatic: boolean;
}

/** A record as it was read, or undefined where nothing was stored yet. */
export type Found = StoredRecord | undefined;

/** Why a run was begun, besides the clock and what stands in the record: both are read afresh. */
export interface Trigger {
  /** People want another token than those that they know of. */
  readonly request: PendingRequest | undefined;
  /** Ids of tokens that were reported or found dead. */
  readonly rejected: ReadonlySet<string>;
}

/** What is remembered from one run to the next. */
export interface RenewalMemory {
  /** Id of the stored token whose death is explained, or counted already: a token dies once, however often its renewal is begun. */
  accountedFor: string | undefined;
  /** Id of the stored token whose death was told of last. */
  toldDeath: string | undefined;
  /** Ids of the tokens that this process had issued last. */
  readonly issued: Set<string>;
  /** The token that works, as far as this process knows. */
  readonly remembered: RememberedToken;
  /** How many calls for this reason have come to no clear end, one after the other. */
  unclear: { readonly reason: RenewalReason; readonly count: number } | undefined;
}

/** Old tokens are dead, and spoken of no more. */
const mostIssued = 8;

/** What a process knows before its first run. */
export function emptyMemory(): RenewalMemory {
  return {
    accountedFor: undefined,
    toldDeath: undefined,
    issued: new Set(),
    remembered: createRememberedToken(),
    unclear: undefined,
  };
}

/** However often no clear end came of it, a call is repeated after this time (or SETTLE, if that is longer), milliseconds. */
const longestSettleMs = 30 * 60_000;

/**
 * A call has come to no clear end. How long to wait before it is settled: SETTLE, and twice as long
 * each time, since where no answer can be read each call may cost a token that works. Milliseconds.
 */
export function settleTime({ deps, memory }: RenewalRun, reason: RenewalReason): number {
  const { settleMs } = deps.times;
  const count = memory.unclear?.reason === reason ? memory.unclear.count + 1 : 1;
  memory.unclear = { reason, count };
  return Math.min(settleMs * 2 ** Math.min(count - 1, 20), Math.max(longestSettleMs, settleMs));
}

/** Presto has issued this token to us, for the intent that stands there: that killed the token beside it. */
export function noteIssued({ deps, memory }: RenewalRun, token: IssuedToken, standing: Standing): void {
  const { issued, remembered } = memory;
  const [oldest] = issued;
  if (issued.size >= mostIssued && oldest !== undefined) issued.delete(oldest);
  issued.add(token.token.fingerprint());
  const generation = standing.record.generation + 1;
  remembered.issued({ ...token, generation, since: deps.clock.monotonic() }, storedId(standing));
}

/** What one run through the states has in hand. */
export interface RenewalRun {
  readonly deps: RenewalDeps;
  readonly held: HeldLock;
  readonly trigger: Trigger;
  readonly memory: RenewalMemory;
  /** The process is asked to end: nothing new is begun. */
  readonly draining: AbortSignal;
  /** The process ends: whatever waits stops waiting. */
  readonly closing: AbortSignal;
}

/** Fingerprint of the stored token. */
export function storedId(found: Found): string | undefined {
  return found?.record.token?.fingerprint();
}

/** The stored token was found dead, and nobody of ours had begun to replace it: told once, however often it is counted and taken back. */
export function tellDeath({ deps, memory }: RenewalRun, found: Found, count: number): void {
  const id = storedId(found);
  if (found === undefined || id === undefined || memory.toldDeath === id) return;
  memory.toldDeath = id;
  deps.emit({ type: "unexplained-death", generation: found.record.generation, id, count });
}

/** Is the person's request still unfulfilled by what is stored? */
export function isRequested({ trigger }: RenewalRun, found: Found): boolean {
  return trigger.request?.replaces(storedId(found)) === true;
}

/** May a token be issued in this run, if the stored one is dead? */
export function mayIssue(run: RenewalRun, found: Found): boolean {
  return run.deps.automatic || isRequested(run, found);
}

/** Has the stored token's time come, or does a person want another one? */
export function isDue(run: RenewalRun, found: Found): boolean {
  return isRequested(run, found) || run.deps.isDue(found?.record, run.deps.clock.now());
}

/** Has the stored token ended, or will it within 24 h? Then it is replaced even where nothing tells whether it lives. */
export function isAboutToEnd({ deps }: RenewalRun, found: Found): boolean {
  const expiresAt = found?.record.expiresAt ?? null;
  return expiresAt !== null && expiresAt.getTime() - deps.prestoNow() <= dayMs;
}

/** So lately was a call sent that says, if it was accepted, that the token lives: where no probe can. Milliseconds. */
export const latelyMs = 5_000;

/** Who wrote a version: for diagnosis. */
export function writtenBy({ deps, held }: RenewalRun): WrittenBy {
  return { holder: deps.holder, lock: held.identity };
}

/** An intent of ours, as it stands in the store: the record with it, and the version that our write made. */
export interface Standing extends StoredRecord {
  readonly intent: Intent;
}

/** An issue call of which it is not known whether it was executed: our own, or that of an intent taken over. */
export interface CallInQuestion {
  /** A dead stored token proves that it was executed. */
  readonly soleCall: boolean;
  /** Monotonic time at which it was given up, or its intent taken over. */
  readonly givenUpAt: number;
  /** How long it is waited for from then on, where that is more than SETTLE: milliseconds. */
  readonly settleMs?: number;
  /** Our own call, which may still be answered, and who it was made for. */
  readonly late?: LateAnswer;
}

export interface LateAnswer {
  readonly end: Promise<IssueEnd>;
  readonly account: Account;
  /** Stops listening. */
  readonly hangUp: () => void;
}

/** A token that was issued and is not stored yet: kept until it is, or is dead. */
export interface Candidate {
  readonly issued: IssuedToken;
  readonly account: Account;
  /** Monotonic time at which it was heard of. */
  readonly since: number;
}

/** The next state, with what it begins with. */
export type NextState =
  | { readonly to: "reading" }
  | { readonly to: "probing"; readonly found: Found; readonly reason: Exclude<RenewalReason, "takeover"> }
  | {
      readonly to: "intending";
      readonly found: Found;
      readonly reason: RenewalReason;
      readonly soleCall: boolean;
      /** What the record's list of unexplained deaths becomes, where the stored token's is added to it. */
      readonly deaths?: readonly Date[];
      /** Where another's intent is taken over: was its call a `soleCall`? */
      readonly takenOver?: { readonly soleCall: boolean };
    }
  | {
      readonly to: "settling";
      readonly standing: Standing;
      readonly call: CallInQuestion;
      /** May no call be made under the intent that stands, since one was, or its write did not go well? Every call has an intent of its own. */
      readonly underThisIntent: boolean;
    }
  | { readonly to: "checking"; readonly standing: Standing }
  | { readonly to: "issuing"; readonly standing: Standing; readonly account: Account }
  | { readonly to: "storing"; readonly standing: Standing; readonly candidate: Candidate }
  | { readonly to: "reconciling"; readonly candidate: Candidate }
  | { readonly to: "clearing"; readonly end: RenewalEnd }
  | { readonly to: "stopped"; readonly end: RenewalEnd }
  | { readonly to: "idle"; readonly end: RenewalEnd };

/** How a compare-and-set ended. `unclear`: perhaps applied, perhaps later; whoever wrote reads again. */
export type WriteEnd =
  | {
      readonly kind: "written";
      readonly version: string;
      /** Where the object was made by it: which one that is, as it was then written into the record. */
      readonly home?: Home;
    }
  | { readonly kind: "refused" }
  | { readonly kind: "unclear"; readonly cause: unknown };

/** Writes by compare-and-set; an error is an answer like the others. */
export async function writeRecord(
  store: WritableStore,
  record: TokenRecord,
  expected: string | undefined,
): Promise<WriteEnd> {
  try {
    const result = await store.write(record, expected);
    if (result.outcome === "refused") return { kind: "refused" };
    const filled = expected === undefined ? await fillInHome(store, record, result.version) : undefined;
    if (filled?.outcome === "refused") return { kind: "refused" };
    if (filled === undefined) return { kind: "written", version: result.version };
    return { kind: "written", version: filled.version, home: filled.home };
  } catch (cause) {
    return { kind: "unclear", cause };
  }
}

/** The account that a call would be made with, or, without one that Presto may accept, the run's end: nothing is begun then. */
export async function chooseAccount({ deps }: Pick<RenewalRun, "deps">): Promise<Account | RenewalEnd> {
  let account: Account | undefined;
  try {
    account = await deps.accounts.next();
  } catch (cause) {
    return unreachable("The account's credentials could not be had.", cause);
  }
  if (account !== undefined) return account;
  if (deps.accounts.mayBeRightLater()) {
    return {
      kind: "refused",
      credentials: false,
      detail:
        "Presto refused the account's passwords (401), and a reset that is not settled may still make the new one right. It is tried once more. To settle it, run: presto-sidecar password reset",
    };
  }
  return {
    kind: "refused",
    credentials: true,
    detail: "Presto refused the account's e-mail and password (401). They are tried again when they change.",
  };
}
