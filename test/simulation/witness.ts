import type { DayWindow } from "../../src/renewal/schedule.ts";
import type { Secret } from "../../src/secret.ts";
import type {
  Credentials,
  Intent,
  RenewalReason,
  StoredRecord,
  TokenRecord,
} from "../../src/store/contract.ts";
import type { SimAddresses } from "./addresses.ts";
import type { Faults } from "./faults.ts";
import { createIssueCall, type IssueCall } from "./issue-call.ts";
import { createMemories } from "./memories.ts";
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
  /** An earlier record is about to stand in the store again, or none, by nobody's protocol. */
  putBack(): void;
  /** Somebody else has had a token issued: of calls under way a dead token proves nothing any more, and nobody knows. */
  issuedAbroad(): void;
  /** A probe of this process was let in with that token. */
  letIn(process: SimProcess, token: Secret): void;
  /** Does a process that lives know the live token so well that it puts it back? */
  isRemembered(): boolean;
  /** The process was asked to end: it begins nothing any more. */
  isEnding(process: SimProcess): void;
  /** A person is about to import a token, by a process of its own. */
  importBegins(process: SimProcess): void;
  /** The process says for which intent, and why, it is about to call. */
  intends(process: SimProcess, intent: string, reason: RenewalReason): void;
  /** Its renewal has stored that token. */
  renewed(process: SimProcess, tokenId: string): void;
  /** Calls back when a process hears of a token of its own for the so-manieth time. */
  onHeard(nth: number, run: (process: SimProcess) => void): void;
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
  counts(): {
    readonly issueCalls: number;
    readonly executedCalls: number;
    readonly unaskedIssues: number;
    /** How often the record was put back, or wiped, while not every process that issues knew the live token. */
    readonly forgottenPutBacks: number;
  };
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
  /** Does what is stored name another object than the one that it stands in? */
  readonly isElsewhere: () => boolean;
  readonly credentials: () => Credentials;
  /** Is the token of this record due by this process's clock, or about to end? */
  readonly isCalledFor: (process: SimProcess, record: TokenRecord | undefined) => boolean;
  /** Is the stored token due by the clock and the window alone? */
  readonly isDue: (process: SimProcess) => boolean;
  /** Id of the token that the process has read last. */
  readonly inHand: (process: SimProcess) => string | undefined;
  /** The state in which the process's renewal is. */
  readonly stateOf: (process: SimProcess) => string;
  readonly lockHolder: () => SimProcess | undefined;
  /** Milliseconds for which nobody else can have the lock that this process has. */
  readonly termLeft: (process: SimProcess) => number;
  /** Processes that issue, and live. */
  readonly issuers: () => readonly SimProcess[];
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** For so long at most the proof that a token lives is older than the call that it is for. */
const proofMs = 60_000;

/** The Date of an answer tells whole seconds. */
const dateMs = 1_500;

/** In these states a candidate is being looked after. */
const caring = new Set(["issuing", "settling", "storing", "reconciling"]);

export function createWitness(options: WitnessOptions): Witness {
  const { scenario, timeline, story, presto, tokens, faults, addresses, stored } = options;
  /** For each process the intents that it wrote since it took the lock, and made no call under. */
  const freshIntents = new Map<SimProcess, Set<string>>();
  const intended = new Map<SimProcess, string>();
  /** What each intent was written for: until the first byte of its call another record may have been put there. */
  const intentRecords = new Map<string, TokenRecord>();
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
  let abroadAt = Number.NEGATIVE_INFINITY;
  let candidates: { readonly process: SimProcess; readonly token: SimToken }[] = [];
  const memories = createMemories(timeline, presto);
  /** Records that were put back, or wiped, while not every rotator knew the live token. */
  let forgottenPutBacks = 0;
  let alarmAt: number | undefined;
  let executedCalls = 0;
  let unaskedIssues = 0;

  /** When each person's import was begun. */
  const imports = new Map<SimProcess, number>();
  /** Those whose clock made a token due that they had stored just now: they issue no more by plan while it does. */
  const clockWrong = new Set<SimProcess>();
  /** Wall clock of each at its last look at what is due. */
  const lookedAt = new Map<SimProcess, number>();
  const onHeard: { readonly nth: number; readonly run: (process: SimProcess) => void }[] = [];
  let heardCount = 0;

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

  function forgetCalls(): void {
    for (const call of calls) if (call.mayBeExecuted()) forgotten.add(call);
  }

  const isStored = (token: Secret): boolean => stored()?.record.token?.reveal() === token.reveal();

  function checkSoleCall(process: SimProcess): void {
    if (faults.wasPausedPastTerm()) return;
    if (options.lockHolder() !== process)
      throw new Violation("S1", `${process.name} calls, and does not hold the lock`);
    if (options.termLeft(process) < scenario.times.issueTimeoutMs)
      throw new Violation("S1", `${process.name} calls, and its lock does not outlive the call`);
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

  /** A person's mistake is no fault of ours, but beside an intent only a token that works is stored. */
  function checkImport(begunAt: number, before: TokenRecord | undefined, next: TokenRecord): void {
    if (before === undefined || before.intent === null || presto.livedSince(next.token, begunAt)) return;
    throw new Violation(
      "import",
      `${tokens.nameOf(next.token)} is stored beside an intent, and does not work`,
    );
  }

  /** Whoever puts the live token back, which it did not just issue, changes nothing else: no death, no alarm, no intent. */
  function checkWriteBack(process: SimProcess, before: TokenRecord | undefined, next: TokenRecord): void {
    if (before === undefined || before.token?.reveal() === next.token?.reveal()) return;
    if (
      imports.has(process) ||
      candidates.some(({ token }) => token.secret.reveal() === next.token?.reveal())
    )
      return;
    const isSame =
      before.unexplainedDeaths.length === next.unexplainedDeaths.length &&
      before.stopped?.at.getTime() === next.stopped?.at.getTime();
    const { intent } = before;
    const isKept = intent === null || intent.holder === process.holder || intent.id === next.intent?.id;
    if (isSame && isKept) return;
    throw new Violation(
      "write-back",
      `${process.name} puts ${tokens.nameOf(next.token)} back, and changes more`,
    );
  }

  /** What is due by plan begins in the window, unless the token would not live to see it. */
  function checkWindow(process: SimProcess, before: TokenRecord | undefined): void {
    const at = lookedAt.get(process);
    const { window } = scenario;
    if (window === undefined || at === undefined || (before?.token ?? null) === null) return;
    if ((before?.expiresAt?.getTime() ?? Infinity) - at < 26 * hourMs || isWithin(window, at)) return;
    throw new Violation("window", `${process.name} begins a renewal by plan out of the window`);
  }

  /** Without a token there is nothing to lose, and one that is about to end is replaced whatever is known. */
  function checkBegun(process: SimProcess): void {
    const record = stored()?.record;
    const endsAt = record?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    // By Presto's clock, which it goes by: its own may have jumped.
    if ((record?.token ?? null) === null || endsAt - presto.timeAsKnownTo(process) <= dayMs + dateMs) return;
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
      const isNew = intent !== null && intent.id !== before?.record.intent?.id;
      if (isNew && intent.reason === "scheduled") checkWindow(process, before?.record);
      if (intent !== null && intent.holder === process.holder && intent.id !== before?.record.intent?.id) {
        freshIntents.get(process)?.add(intent.id);
        intentRecords.set(intent.id, next);
      }
      // A password's reset may be done while the alarm is set, under an intent that is its lock.
      if (next.stopped !== null && isNew && process.role !== "reset")
        throw new Violation("L4", `${process.name} begins a renewal though the alarm is set`);
      checkDeaths(process, before?.record, next);
      checkRemoval(process, before?.record.intent ?? null, intent);
      const old = before?.record.token ?? null;
      const isOther = next.token?.reveal() !== old?.reveal();
      if (isOther && !isNew && intent?.soleCall === true)
        throw new Violation(
          "sole call",
          `${process.name} left an intent that claims to explain another token's death`,
        );
      checkWriteBack(process, before?.record, next);
      const importedAt = imports.get(process);
      if (importedAt !== undefined) checkImport(importedAt, before?.record, next);
      else if (isOther && presto.isLive(old)) {
        const names = `${tokens.nameOf(next.token)} over ${tokens.nameOf(old)}`;
        throw new Violation("S3", `${process.name} wrote ${names}, which works`);
      }
      candidates = candidates.filter(({ token }) => !isStored(token.secret));
    },
    letIn(process, token) {
      // What is seen in a record from elsewhere is remembered by nobody: a person has to take it as one's own.
      if (isStored(token) && !options.isElsewhere()) memories.note(process, token);
    },
    isRemembered: () => options.issuers().some(memories.knowsLive),
    putBack() {
      counted.clear();
      const issuers = options.issuers();
      if (issuers.length === 0 || !issuers.every(memories.knowsLive)) forgottenPutBacks += 1;
      // Of a call whose intent is gone nobody can know any more.
      forgetCalls();
    },
    issuedAbroad() {
      forgetCalls();
      abroadAt = timeline.now();
    },
    isEnding: (process) => void ending.add(process),
    importBegins: (process) => void imports.set(process, timeline.now()),
    intends(process, intent, reason) {
      intended.set(process, intent);
      if (reason === "scheduled" && clockWrong.has(process))
        violation ??= new Violation(
          "clock",
          `${process.name} issues by plan, though its clock makes each token due at once`,
        );
    },
    renewed(process, tokenId) {
      const isSeen = options.inHand(process) === tokenId && stored()?.record.token?.fingerprint() === tokenId;
      if (isSeen && options.isDue(process)) clockWrong.add(process);
    },
    onHeard: (nth, run) => void onHeard.push({ nth, run }),
    moved(process, from, to) {
      if (from === "reading" && to === "probing") lookedAt.set(process, process.clock.now());
      else if (to !== "intending") lookedAt.delete(process);
      if (to === "probing" && addresses.mustBlock(process)) blocked.add(process);
      if (to === "intending" && from === "probing" && blocked.has(process)) checkBegun(process);
      if (to !== "probing") blocked.delete(process);
    },
    issueBegins(process, askedAt) {
      if (process.role.startsWith("clone"))
        throw new Violation("home", `${process.name} issues by a record that was written for another site`);
      if (ending.has(process))
        throw new Violation("shutdown", `${process.name} calls after it was asked to end`);
      checkIntent(process);
      checkSoleCall(process);
      const call = createIssueCall(process, askedAt, timeline, scenario.times);
      calls.push(call);
      // The stored token was proved alive before somebody else had another issued.
      if (timeline.now() - abroadAt < proofMs) forgotten.add(call);
      const base = intentRecords.get(intended.get(process) ?? "") ?? stored()?.record;
      if (options.isCalledFor(process, base)) calledFor.set(call, tokens.nameOf(base?.token));
      return call;
    },
    executed(call) {
      executedCalls += 1;
      const base = calledFor.get(call);
      if (base !== undefined && !replaced.has(base)) replaced.add(base);
      else unaskedIssues += 1;
    },
    checkPassword() {
      const { password, pending } = options.credentials();
      if (presto.isPassword(password) || (pending !== null && presto.isPassword(pending))) return;
      throw new Violation("password", "nobody knows the account's password any more");
    },
    heard(process, token) {
      candidates.push({ process, token });
      memories.note(process, token.secret);
      heardCount += 1;
      for (const { nth, run } of onHeard) if (nth === heardCount) run(process);
    },
    look() {
      if (violation !== undefined) throw violation;
      for (const process of blocked) if (!addresses.mustBlock(process)) blocked.delete(process);
      for (const process of clockWrong) if (!options.isDue(process)) clockWrong.delete(process);
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
    counts: () => ({ issueCalls: calls.length, executedCalls, unaskedIssues, forgottenPutBacks }),
    alarmAt() {
      const isSet = (stored()?.record.stopped ?? null) !== null;
      alarmAt = isSet ? (alarmAt ?? timeline.now()) : undefined;
      return alarmAt;
    },
  };
}

function isWithin({ fromMs, toMs }: DayWindow, at: number): boolean {
  const ofDay = ((at % dayMs) + dayMs) % dayMs;
  return fromMs < toMs ? ofDay >= fromMs && ofDay < toMs : ofDay >= fromMs || ofDay < toMs;
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
