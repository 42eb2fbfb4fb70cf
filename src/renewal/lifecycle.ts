import type { Clock, Timer } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import { describeElsewhere, isAtHome } from "../store/home.ts";
import type { Renewal, RunOptions } from "./machine.ts";
import { createProbeLoop } from "./probe-loop.ts";
import { recentDeaths } from "./probing.ts";
import { createRenewRequests, lockHeldReply, type RenewRequests } from "./requests.ts";
import { createRetry, type Retry } from "./retry.ts";
import { type Found, type RenewalDeps, storedId, type Trigger } from "./run.ts";
import { createTriggers, type Triggers } from "./triggers.ts";
import {
  type Renew,
  type RenewalEnd,
  type RenewalReport,
  type RenewReply,
  type RenewRequest,
  notStored,
  unreachable,
} from "./types.ts";

export interface LifecycleOptions {
  readonly deps: RenewalDeps;
  readonly renewal: Renewal;
  /** The record in hand: the last one that was read. */
  readonly current: () => TokenRecord | undefined;
  /** What the store held when it was last read, a record or none; undefined before the first time. */
  readonly lastRead: () => { readonly found: Found } | undefined;
  /** When this record is to be renewed; null if that is not known. */
  readonly dueAt: (record: TokenRecord | undefined) => Date | null;
  /** Has Presto accepted this token in a call of our own since then (monotonic)? Spares a probe. */
  readonly acceptedSince: (tokenId: string, monotonic: number) => boolean;
}

/** When a token is issued, and who may ask for one (R0 of the protocol). */
export interface Lifecycle {
  /** Begins: probes the stored token, settles what an earlier process left, and keeps the schedule. */
  start(): void;
  readonly renew: Renew;
  /** Looks at the clocks again: a suspended laptop's timers lie. Cheap: every call may do it. */
  look(): void;
  /** The record in hand may have changed. */
  recordChanged(): void;
  /** Presto answered 401 to this token of ours. */
  tokenRejected(tokenId: string): void;
  /** The credentials may have changed. */
  credentialsChanged(): void;
  report(): RenewalReport;
  /** Begins no new renewal, and resolves when the one under way is finished, or left where the next process can take it up. */
  drain(): Promise<void>;
  /** Ends at once, wherever it is. */
  close(): void;
}

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { deps, renewal } = options;
  const standing = (): TokenRecord | undefined => recordThatStands(options);
  const draining = new AbortController();
  const closing = new AbortController();
  const stop = { draining: draining.signal, closing: closing.signal };
  const retry = createRetry(deps);
  const requests = createRenewRequests({ clock: deps.clock, state: renewal.state });
  const home = createHomeWatch(options);
  const triggers = createTriggers({
    deps,
    standing,
    dueAt: options.dueAt,
    requests,
    retry,
    isMissing: home.isMissing,
    isBlocked: () => home.blockedBy() !== undefined,
  });
  const runs = createRuns({ deps, renewal, standing, retry, requests, triggers, stop, onOver: look });
  const nextLook = createNextLook(deps.clock, look);
  const probes = createProbeLoop({
    deps,
    // Also one that was taken out of the store: it serves, and whether it lives is worth knowing.
    current: options.current,
    lastRead: options.lastRead,
    remembered: renewal.remembered,
    acceptedSince: options.acceptedSince,
    onDead: tokenRejected,
    // Not only the timer is set: time may have jumped while it was asked, and what is due is due now.
    onDone: look,
  });
  let started = false;

  function look(): void {
    if (!started || draining.signal.aborted) return;
    const blockedBy = home.look();
    // Who waits is told so; what was forced goes on.
    if (blockedBy !== undefined && !runs.isUnderWay())
      requests.ended({ kind: "elsewhere", detail: blockedBy }, standing());
    deps.clockAlarm.look(standing());
    const moment = { now: deps.clock.now(), monotonic: deps.clock.monotonic() };
    probes.look(moment.monotonic, runs.isUnderWay());
    const waits = [probes.leftMs(moment.monotonic, runs.isUnderWay())];
    if (!runs.isUnderWay()) {
      const reason = triggers.find(moment);
      if (reason.trigger === undefined) waits.push(reason.inMs);
      else runs.begin(reason.trigger);
    }
    nextLook.within(Math.min(...waits));
  }

  function tokenRejected(tokenId: string): void {
    triggers.tokenRejected(tokenId);
    look();
  }

  return {
    start() {
      started = true;
      look();
    },
    async renew(request) {
      const refused =
        elsewhere(request, home.blockedBy()) ??
        refusal(request, standing(), triggers.credentialsRefused(), stop.draining.aborted);
      if (refused !== undefined) return refused;
      const other = renewal.waitsFor();
      const sentOn = other && lockHeldReply(other);
      if (sentOn !== undefined) return sentOn;
      const issued = renewal.issued();
      const inHand = options.current()?.token?.fingerprint();
      const reply = requests.add(request, {
        ids: inHand === undefined ? [...issued] : [...issued, inHand],
        stored: deps.store.read().then(storedId),
        isOwn: (id) => issued.has(id),
      });
      // Once more: it may have been put right at Presto's end.
      if (request.force && triggers.credentialsRefused() !== undefined) triggers.credentialsChanged();
      look();
      return reply;
    },
    look() {
      if (nextLook.isLate()) look();
    },
    recordChanged: look,
    tokenRejected,
    credentialsChanged() {
      triggers.credentialsChanged();
      look();
    },
    report: () => ({ ...reportOf(options, retry, triggers, runs), elsewhere: home.blockedBy() ?? null }),
    async drain() {
      draining.abort();
      nextLook.cancel();
      await runs.over();
      requests.ended({ kind: "shut-down" }, standing());
    },
    close() {
      draining.abort();
      closing.abort();
      nextLook.cancel();
    },
  };
}

/**
 * What stands in the store, as it was last read: nothing, where the record was taken away, though the one that was
 * read before it is in hand and serves. An alarm or an intent that went with it is over.
 */
export function recordThatStands({
  current,
  lastRead,
}: Pick<LifecycleOptions, "current" | "lastRead">): TokenRecord | undefined {
  const read = lastRead();
  return read === undefined ? current() : read.found?.record;
}

/** Does what stands in the store belong there? */
interface HomeWatch {
  /** Is a token remembered that does not stand there, at our home? */
  isMissing(): boolean;
  /** Why nothing is issued by a record that was written for another object; undefined where it is one's own, or what is remembered takes its place. */
  blockedBy(): string | undefined;
  /** Tells of each change. @returns why, where it has just become blocked */
  look(): string | undefined;
}

function createHomeWatch({
  deps,
  renewal: { remembered },
  lastRead,
}: Pick<LifecycleOptions, "deps" | "renewal" | "lastRead">): HomeWatch {
  let told: string | undefined;

  function blockedBy(): string | undefined {
    const found = lastRead()?.found;
    if (isAtHome(found) || remembered.all().length > 0) return undefined;
    return describeElsewhere(found);
  }

  return {
    isMissing() {
      const read = lastRead();
      return read !== undefined && remembered.missingIn(read.found).length > 0;
    },
    blockedBy,
    look() {
      const reason = blockedBy();
      if (reason === told) return undefined;
      told = reason;
      deps.emit({ type: "elsewhere-changed", reason });
      return reason;
    },
  };
}

/** Longest and shortest time between two looks at the clocks, milliseconds. */
const lookEveryMs = 15_000;
const lookLeastMs = 50;

interface NextLook {
  /** Looks after so many milliseconds, or after a while: a timer that runs late is then not late by much. */
  within(ms: number): void;
  /** Should it have looked by now, by the wall clock? */
  isLate(): boolean;
  cancel(): void;
}

function createNextLook(clock: Clock, look: () => void): NextLook {
  let timer: Timer | undefined;
  let lookAt = 0;
  return {
    within(wantedMs) {
      timer?.cancel();
      const ms = Math.max(lookLeastMs, Math.min(lookEveryMs, wantedMs));
      lookAt = clock.now() + ms;
      timer = clock.after(ms, look);
    },
    isLate: () => clock.now() >= lookAt,
    cancel: () => timer?.cancel(),
  };
}

interface RunsDeps extends Pick<LifecycleOptions, "deps" | "renewal"> {
  readonly standing: () => TokenRecord | undefined;
  readonly retry: Retry;
  readonly requests: RenewRequests;
  readonly triggers: Triggers;
  readonly stop: Pick<RunOptions, "draining" | "closing">;
  /** A request that came meanwhile, or a time that has come, may be reason for another. */
  readonly onOver: () => void;
}

/** Renewals, one at a time, and what is learnt from how each ends. */
interface Runs {
  isUnderWay(): boolean;
  begin(trigger: Trigger): void;
  /** Resolves when none is under way. */
  over(): Promise<void>;
  lastEnd(): RenewalReport["lastEnd"];
}

function createRuns({ deps, renewal, standing, retry, requests, triggers, stop, onOver }: RunsDeps): Runs {
  const { clock, emit } = deps;
  let running: Promise<void> | undefined;
  let lastEnd: RenewalReport["lastEnd"] = null;

  async function run(trigger: Trigger): Promise<void> {
    const settle = triggers.begin(trigger);
    requests.begun();
    const end = await endOf(trigger);
    lastEnd = { kind: end.kind, detail: "detail" in end ? end.detail : null, at: new Date(clock.now()) };
    settle(end);
    if (end.kind === "renewed") judgeClock(end.tokenId);
    retry.ended(end);
    requests.ended(end, standing());
    emit({ type: "renewal-ended", end, nextTryAt: retry.nextTryAt() ?? undefined });
  }

  async function endOf(trigger: Trigger): Promise<RenewalEnd> {
    try {
      const { lockHeld: onOtherHolder } = requests;
      return await renewal.run({ trigger, lockWaitMs: Number.POSITIVE_INFINITY, onOtherHolder, ...stop });
    } catch (cause) {
      if (stop.draining.aborted) return { kind: "shut-down" };
      return unreachable("The renewal could not be carried out here.", cause);
    }
  }

  /** That is the clock's fault, not the token's: a second one would be due as well. */
  function judgeClock(tokenId: string): void {
    const record = standing();
    const isStillDue = tokenId === record?.token?.fingerprint() && deps.isDue(record, clock.now());
    if (record !== undefined && isStillDue) deps.clockAlarm.latch(record);
  }

  return {
    isUnderWay: () => running !== undefined,
    begin(trigger) {
      running = run(trigger).finally(() => {
        running = undefined;
        onOver();
      });
    },
    over: () => running ?? Promise.resolve(),
    lastEnd: () => lastEnd,
  };
}

/** The answer to a person who asks for a token by a record that is another side's. */
function elsewhere({ force }: RenewRequest, blockedBy: string | undefined): RenewReply | undefined {
  return blockedBy === undefined || force ? undefined : { kind: "elsewhere", detail: blockedBy };
}

/** The answer to a person whose request can't be taken up. */
function refusal(
  { force }: RenewRequest,
  record: TokenRecord | undefined,
  credentialsRefused: string | undefined,
  isEnding: boolean,
): RenewReply | undefined {
  if (record !== undefined && record.stopped !== null && !force)
    return { kind: "stopped", detail: record.stopped.reason };
  if (credentialsRefused !== undefined && !force) return { kind: "refused", detail: credentialsRefused };
  return isEnding
    ? { kind: "unreachable", detail: "This process is ending.", retryAfterMs: 5_000 }
    : undefined;
}

/**
 * A token that is nowhere but here goes before whatever was the end of the run before: who reads
 * "renewed" there ends the process with an easy mind.
 */
function unstoredEnd(at: Date | undefined): RenewalReport["lastEnd"] {
  return at === undefined ? null : { ...notStored, at };
}

function reportOf(
  options: LifecycleOptions,
  retry: Retry,
  triggers: Triggers,
  runs: Runs,
): Omit<RenewalReport, "elsewhere"> {
  const { deps, renewal, dueAt } = options;
  const record = recordThatStands(options);
  const state = renewal.state();
  return {
    // A person has cleared the alarm, or it has gone with its record, and no run has begun since.
    state: (record?.stopped ?? null) === null && state === "stopped" ? "idle" : state,
    automatic: deps.automatic,
    lock: renewal.lock(),
    dueAt: deps.automatic ? dueAt(record) : null,
    nextTryAt: retry.nextTryAt(),
    lastEnd: unstoredEnd(renewal.unstoredSince()) ?? runs.lastEnd(),
    stopped: record?.stopped ?? null,
    unexplainedDeaths: recentDeaths(record?.unexplainedDeaths ?? [], deps.prestoNow()).length,
    credentialsRefused: triggers.credentialsRefused() ?? null,
    clockWrong: deps.clockAlarm.reason() ?? null,
  };
}
