import type { Secret } from "../../src/secret.ts";
import type { Credentials, Intent, StoredRecord, TokenRecord } from "../../src/store/contract.ts";
import type { SimAddresses } from "./addresses.ts";
import type { Faults } from "./faults.ts";
import { createIssueCall, type IssueCall } from "./issue-call.ts";
import type { Presto } from "./presto.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimToken, SimTokens } from "./sim-token.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

/**
 * Sees everything, and takes no part: what was written, who took the lock, which calls may
 * still be executed. It throws a `Violation` at the step at which a property breaks.
 */
export interface Witness {
  tookLock(process: SimProcess): void;
  wrote(process: SimProcess, before: StoredRecord | undefined, after: StoredRecord): void;
  /** An earlier record stands in the store again, by nobody's protocol. */
  lostIntent(): void;
  /** The process was asked to end: it begins nothing any more. */
  isEnding(process: SimProcess): void;
  /** The process says for which intent it is about to call. */
  intends(process: SimProcess, intent: string): void;
  /** Its renewal went from one state to another. */
  moved(process: SimProcess, from: string, to: string): void;
  /** The first byte of its issue call, which it asked for at that time, is about to go: S1 and S2. */
  issueBegins(process: SimProcess, askedAt: number): IssueCall;
  /** The process has heard of the token: it is its candidate from now on. */
  heard(process: SimProcess, token: SimToken): void;
  /** Presto has made a token for the call. */
  executed(call: IssueCall): void;
  /** The account's password, or what is stored of it, has changed: somebody must still know it. */
  checkPassword(): void;
  /** After every step: S8. */
  look(): void;
  counts(): { readonly issueCalls: number; readonly unaskedIssues: number };
  /** Since when the alarm is set; undefined if it is not. */
  alarmAt(): number | undefined;
}

export interface WitnessOptions {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly story: Story;
  readonly presto: Presto;
  readonly tokens: SimTokens;
  readonly faults: Pick<Faults, "wasPausedPastTerm">;
  readonly addresses: Pick<SimAddresses, "mustBlock">;
  readonly stored: () => StoredRecord | undefined;
  readonly credentials: () => Credentials;
  /** Is a token due, or about to end, by this process's clock? */
  readonly isCalledFor: (process: SimProcess) => boolean;
  /** The state in which the process's renewal is. */
  readonly stateOf: (process: SimProcess) => string;
  readonly lockHolder: () => SimProcess | undefined;
}

const dayMs = 24 * 3_600_000;

/** In these states a candidate is being looked after. */
const caring = new Set(["issuing", "settling", "storing", "reconciling"]);

export function createWitness(options: WitnessOptions): Witness {
  const { scenario, timeline, story, presto, tokens, faults, addresses, stored } = options;
  /** For each process the intents that it wrote since it took the lock, and made no call under. */
  const freshIntents = new Map<SimProcess, Set<string>>();
  const intended = new Map<SimProcess, string>();
  const ending = new Set<SimProcess>();
  /** Those whose renewal was about to probe while they knew that they must send nothing, and have heard nothing else since. */
  const blocked = new Set<SimProcess>();
  const forgotten = new Set<IssueCall>();
  const calls: IssueCall[] = [];
  /** Calls that the clock called for, each with the token that it was to replace. */
  const calledFor = new Map<IssueCall, string>();
  /** A stored token is replaced once because its time has come; whatever else is issued is some fault's cost. */
  const replaced = new Set<string>();
  /** Seen where a renewal would take it for a failure of its own. */
  let violation: Violation | undefined;
  let candidates: { readonly process: SimProcess; readonly token: SimToken }[] = [];
  let alarmAt: number | undefined;
  let unaskedIssues = 0;

  /** Tokens that a death stands in the record for. */
  const counted = new Set<string>();

  /** A token dies once: a second entry for it, while the first one stands, is none. */
  function checkDeaths(process: SimProcess, before: TokenRecord | undefined, next: TokenRecord): void {
    const earlier = before?.unexplainedDeaths.at(-1)?.getTime();
    const last = next.unexplainedDeaths.at(-1)?.getTime();
    if (last === earlier) return;
    const name = tokens.nameOf(before?.token);
    if (last === undefined || (before?.unexplainedDeaths.length ?? 0) > next.unexplainedDeaths.length) {
      counted.delete(name);
      return;
    }
    if (counted.has(name)) throw new Violation("death", `${process.name} counts the death of ${name} again`);
    counted.add(name);
  }

  const isStored = (token: Secret): boolean => stored()?.record.token?.reveal() === token.reveal();

  function checkSoleCall(process: SimProcess): void {
    if (faults.wasPausedPastTerm()) return;
    if (options.lockHolder() !== process)
      throw new Violation("S1", `${process.name} calls, and does not hold the lock`);
    if (scenario.settleTooShort) return;
    const other = calls.find((call) => call.mayBeExecuted() && !forgotten.has(call));
    if (other === undefined) return;
    throw new Violation(
      "S1",
      `${process.name} calls while the call of ${other.process.name} may still be executed`,
    );
  }

  function checkIntent(process: SimProcess): void {
    const id = intended.get(process);
    if (id !== undefined && freshIntents.get(process)?.delete(id) === true) return;
    throw new Violation(
      "S2",
      `${process.name} calls without an intent for this call that it wrote since it took the lock`,
    );
  }

  /** Without a token there is nothing to lose, and one that is about to end is replaced whatever is known. */
  function checkBegun(process: SimProcess): void {
    const record = stored()?.record;
    const endsAt = record?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    if ((record?.token ?? null) === null || endsAt - process.clock.now() <= dayMs) return;
    violation ??= new Violation(
      "gate",
      `${process.name} begins a renewal, and knows that its address is not registered`,
    );
  }

  return {
    tookLock(process) {
      freshIntents.set(process, new Set());
    },
    wrote(process, before, after) {
      const next = after.record;
      story.tell(() => `${process.name} wrote ${describeRecord(after, tokens)}`);
      const { intent } = next;
      if (intent !== null && intent.holder === process.holder && intent.id !== before?.record.intent?.id)
        freshIntents.get(process)?.add(intent.id);
      if (next.stopped !== null && intent !== null && intent.id !== before?.record.intent?.id)
        throw new Violation("L4", `${process.name} begins a renewal though the alarm is set`);
      checkDeaths(process, before?.record, next);
      checkRemoval(process, before?.record.intent ?? null, intent);
      const old = before?.record.token ?? null;
      if (next.token?.reveal() !== old?.reveal() && presto.isLive(old)) {
        const names = `${tokens.nameOf(next.token)} over ${tokens.nameOf(old)}`;
        throw new Violation("S3", `${process.name} wrote ${names}, which works`);
      }
      candidates = candidates.filter(({ token }) => !isStored(token.secret));
      if (next.stopped === null) alarmAt = undefined;
      else alarmAt ??= timeline.now();
    },
    lostIntent() {
      counted.clear();
      // Of a call whose intent is gone nobody can know any more.
      for (const call of calls) if (call.mayBeExecuted()) forgotten.add(call);
    },
    isEnding: (process) => void ending.add(process),
    intends: (process, intent) => void intended.set(process, intent),
    moved(process, from, to) {
      if (to === "probing" && addresses.mustBlock(process)) blocked.add(process);
      if (to === "intending" && from === "probing" && blocked.has(process)) checkBegun(process);
      if (to !== "probing") blocked.delete(process);
    },
    issueBegins(process, askedAt) {
      if (ending.has(process))
        throw new Violation("shutdown", `${process.name} calls after it was asked to end`);
      checkIntent(process);
      checkSoleCall(process);
      const call = createIssueCall(process, askedAt, timeline, scenario.times);
      calls.push(call);
      if (options.isCalledFor(process)) calledFor.set(call, tokens.nameOf(stored()?.record.token));
      return call;
    },
    executed(call) {
      const base = calledFor.get(call);
      if (base !== undefined && !replaced.has(base)) replaced.add(base);
      else unaskedIssues += 1;
    },
    checkPassword() {
      const { password, pending } = options.credentials();
      if (presto.isPassword(password) || (pending !== null && presto.isPassword(pending))) return;
      throw new Violation("password", "nobody knows the account's password any more");
    },
    heard: (process, token) => void candidates.push({ process, token }),
    look() {
      if (violation !== undefined) throw violation;
      for (const process of blocked) if (!addresses.mustBlock(process)) blocked.delete(process);
      if (candidates.length === 0) return;
      candidates = candidates.filter(
        ({ process, token }) => process.isAlive() && presto.isLive(token.secret),
      );
      for (const { process, token } of candidates) {
        const state = options.stateOf(process);
        if (!caring.has(state))
          throw new Violation(
            "S8",
            `${process.name} is ${state} and has dropped ${token.name}, which works and was never stored`,
          );
      }
    },
    counts: () => ({ issueCalls: calls.length, unaskedIssues }),
    alarmAt: () => alarmAt,
  };
}

/** Whoever finds an intent of another writes its own over it; nobody else takes it away. */
function checkRemoval(process: SimProcess, before: Intent | null, after: Intent | null): void {
  if (before !== null && after === null && before.holder !== process.holder)
    throw new Violation("R8", `${process.name} removed the intent ${before.id} of ${before.holder}`);
}

function describeRecord({ record, version }: StoredRecord, tokens: SimTokens): string {
  const { intent } = record;
  const parts = [`generation ${record.generation}`, tokens.nameOf(record.token)];
  if (intent !== null)
    parts.push(
      `intent ${intent.id} of ${intent.holder} (${intent.reason}${intent.soleCall ? ", sole call" : ""})`,
    );
  if (record.unexplainedDeaths.length > 0) parts.push(`${record.unexplainedDeaths.length} deaths`);
  if (record.stopped !== null) parts.push("STOPPED");
  return `${version}: ${parts.join(", ")}`;
}
