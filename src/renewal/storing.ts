import { retryUnlessAborted } from "../lib/async.ts";
import { plainVerdict } from "../presto/probe.ts";
import type { TokenRecord } from "../store/contract.ts";
import { homeKept, homeOf, isAtHome } from "../store/home.ts";
import { emptyRecord } from "../store/record.ts";
import { youngMs } from "../token/health.ts";
import type { KeptToken } from "./remembering.ts";
import {
  type Candidate,
  type Found,
  type NextState,
  type RenewalRun,
  storedId,
  writeRecord,
  writtenBy,
} from "./run.ts";
import type { RenewalEnd } from "./types.ts";

type Storing = Extract<NextState, { to: "storing" }>;
type Reconciling = Extract<NextState, { to: "reconciling" }>;

/** R7. The new token goes over the version that our intent made; it serves from now on, whatever becomes of the write. */
export async function storing(run: RenewalRun, { standing, candidate }: Storing): Promise<NextState> {
  const { deps } = run;
  const record = withCandidate(run, standing, candidate);
  deps.consumer.setPending(candidate.issued, record.generation);
  const end = await writeRecord(deps.store, record, standing.version);
  if (end.kind === "written") return finish(run, candidate, record);
  if (end.kind === "unclear") {
    deps.emit({
      type: "warning",
      message:
        "A new token was issued and could not be stored. It serves from memory, and storing it is tried again; until that works, the end of this process would lose it.",
      cause: end.cause,
    });
  }
  return { to: "reconciling", candidate };
}

/**
 * R7b. The write was refused, or its answer was lost. In exactly this order: read, then ask
 * whether our token lives, then write over what was read. At most one token lives, so if ours
 * does, whatever stands there is dead. The lock is not needed, and may be lost.
 */
export async function reconciling(run: RenewalRun, { candidate }: Reconciling): Promise<NextState> {
  return (await retryUnlessAborted(run.deps, run.closing, () => reconcileOnce(run, candidate))) ?? shutDown;
}

const shutDown: NextState = { to: "idle", end: { kind: "shut-down" } };

/** One round of R7b; undefined where another is needed. */
async function reconcileOnce(run: RenewalRun, candidate: Candidate): Promise<NextState | undefined> {
  const { deps } = run;
  const { token } = candidate.issued;
  const found = await read(run);
  if (found === "unreadable") return undefined;
  if (storedId(found) === token.fingerprint()) return finish(run, candidate, found?.record ?? emptyRecord);
  const young = deps.clock.monotonic() - candidate.since < youngMs;
  const verdict = await deps.probe(token);
  if (verdict === "alive" || !young) deps.consumer.probed(token, plainVerdict(verdict));
  if (verdict === "dead" && !young) {
    deps.consumer.discardPending(candidate.issued);
    run.memory.remembered.died(token.fingerprint());
    return {
      to: "clearing",
      end: { kind: "lost", detail: "The token that was issued died before it could be stored." },
    };
  }
  if (verdict !== "alive") return undefined;
  const record = withCandidate(run, found, candidate);
  run.memory.remembered.lives(keptOf(record, candidate, deps.clock.monotonic()));
  const end = await writeRecord(deps.store, record, found?.version);
  return end.kind === "written" ? finish(run, candidate, record) : undefined;
}

async function read({ deps }: RenewalRun): Promise<Found | "unreadable"> {
  try {
    return await deps.store.read();
  } catch {
    return "unreadable";
  }
}

/** Our own intent ends with its token. Another holder's stays: its call may be under way, and no longer the only one. */
function withCandidate(run: RenewalRun, over: Found, { issued }: Candidate): TokenRecord {
  const base = over?.record ?? emptyRecord;
  const { intent } = base;
  const { token, name, issuedAt, expiresAt } = issued;
  const next = { ...base, token, name, issuedAt, expiresAt };
  return {
    ...next,
    generation: base.generation + 1,
    dueWhenIssued: run.deps.clockAlarm.reason() !== undefined || run.deps.isDue(next, run.deps.clock.now()),
    intent: intent === null || intent.holder === run.deps.holder ? null : { ...intent, soleCall: false },
    home: homeOf(over),
    writtenBy: writtenBy(run),
  };
}

function keptOf({ generation }: TokenRecord, { issued }: Candidate, since: number): KeptToken {
  return { ...issued, generation, since };
}

/** Stored. What is left is to let everybody know. */
async function finish(
  run: RenewalRun,
  { issued, account }: Candidate,
  record: TokenRecord,
): Promise<NextState> {
  const { deps } = run;
  await deps.consumer.noticeRecord();
  try {
    await deps.accounts.proved(account);
  } catch (cause) {
    deps.emit({
      type: "warning",
      message: "The password that works could not be noted in PRESTO_CREDENTIALS; both are kept.",
      cause,
    });
  }
  return {
    to: "idle",
    end: {
      kind: "renewed",
      tokenId: issued.token.fingerprint(),
      generation: record.generation,
      expiresAt: record.expiresAt,
    },
  };
}

type Clearing = Extract<NextState, { to: "clearing" }>;

/** R8. Takes away an intent of ours, and nobody else's: another holder's call may be under way. */
export async function clearing(run: RenewalRun, { end }: Clearing): Promise<NextState> {
  const cleared = async (): Promise<NextState | undefined> => {
    if (!(await isCleared(run, end))) return undefined;
    await run.deps.consumer.noticeRecord();
    return { to: "idle", end };
  };
  return (await retryUnlessAborted(run.deps, run.closing, cleared)) ?? shutDown;
}

async function isCleared(run: RenewalRun, end: RenewalEnd): Promise<boolean> {
  const { store, holder } = run.deps;
  try {
    const found = await store.read();
    if (found === undefined || found.record.intent?.holder !== holder) return true;
    // A copy of our record, written for another object: nothing is changed in it.
    if (!isAtHome(found)) return true;
    const takenBack = end.kind === "lost" ? undefined : withoutDeath(found);
    const record = {
      ...found.record,
      ...takenBack,
      intent: null,
      home: homeKept(found),
      writtenBy: writtenBy(run),
    };
    if ((await writeRecord(store, record, found.version)).kind !== "written") return false;
    if (takenBack !== undefined) run.memory.accountedFor = undefined;
    return true;
  } catch {
    return false;
  }
}

/**
 * Deaths are counted because each is answered by an issue, and two owners who answer each other
 * never end. One of a token that still stands was answered by none: it is taken back, or a wrong
 * password and a few restarts would make an alarm of one death.
 */
function withoutDeath({ record }: NonNullable<Found>): Partial<TokenRecord> | undefined {
  const { lastDeath, token, unexplainedDeaths } = record;
  if (token === null || lastDeath !== token.fingerprint()) return undefined;
  return { unexplainedDeaths: unexplainedDeaths.slice(0, -1), lastDeath: null };
}
