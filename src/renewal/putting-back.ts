import { untilAborted } from "../lib/async.ts";
import type { TokenVerdict } from "../presto/probe.ts";
import type { TokenRecord } from "../store/contract.ts";
import { homeOf } from "../store/home.ts";
import { emptyRecord } from "../store/record.ts";
import type { KeptToken } from "./remembering.ts";
import {
  type Found,
  isAboutToEnd,
  isRequested,
  type NextState,
  type RenewalRun,
  type Standing,
  writeRecord,
  writtenBy,
} from "./run.ts";
import { unreachable } from "./types.ts";

/**
 * R1, right after the fresh read and before all else: the record is not what this process knows it to be. Somebody put
 * an older one back, took it away, or brought one along from elsewhere; or another process renewed. A probe of the
 * remembered token tells which: alive, it is written back (R7b with the remembered token as the candidate: no
 * issue, and no death); dead, it is forgotten.
 * @returns undefined where nothing that is remembered is missing in the record: R1 goes on with it
 */
export async function puttingBack(run: RenewalRun, found: Found): Promise<NextState | undefined> {
  const { memory, draining } = run;
  for (const kept of memory.remembered.missingIn(found)) {
    const verdict = await probeKept(run, kept, draining);
    if (verdict === "alive") return putBack(run, found, kept);
    if (verdict === "dead" || (await isOutlived(run, found, kept))) continue;
    if (draining.aborted) return { to: "idle", end: { kind: "shut-down" } };
    // No probe will ever tell more: as in R2, what must be replaced is replaced.
    if (verdict === "blind" && (isRequested(run, found) || isAboutToEnd(run, found))) continue;
    return { to: "idle", end: unreachable(unclear) };
  }
  return undefined;
}

const unclear =
  "The record is not what this process left there, and Presto gave no answer that tells whether the token lives that it remembers, so nothing was begun.";

/** Where it is dead, it is forgotten. Undefined if `signal` came first. */
export async function probeKept(
  { deps, memory }: RenewalRun,
  { token, issuedAt }: KeptToken,
  signal: AbortSignal,
): Promise<TokenVerdict | undefined> {
  if (!deps.mayLeave()) return "unclear";
  const verdict = await untilAborted(signal, deps.probe(token, { issuedAt }));
  if (verdict === "alive") deps.consumer.probed(token, "alive");
  if (verdict === "dead") memory.remembered.died(token.fingerprint());
  return verdict;
}

/**
 * Does the stored token live, by what was heard of it since that one was known? Then that one is dead, where no probe of its own
 * tells so: Presto may look for the record before it looks at the token. It is forgotten then.
 */
async function isOutlived(run: RenewalRun, found: Found, kept: KeptToken): Promise<boolean> {
  const { deps, memory, draining } = run;
  const { token = null, issuedAt = null } = found?.record ?? {};
  const id = kept.token.fingerprint();
  if (token === null || token.fingerprint() === id || !deps.mayLeave()) return false;
  const acceptedFrom = (): number => kept.since;
  const verdict = await untilAborted(draining, deps.probe(token, { issuedAt, acceptedFrom }));
  if (verdict !== "alive" && verdict !== "alive-lately") return false;
  deps.consumer.probed(token, "alive");
  memory.remembered.died(id);
  memory.remembered.storedLives(found, deps.clock.monotonic());
  return true;
}

/** An intent that stands there stays, whoever's and however old: its call may be under way, and is no longer the only one. */
async function putBack(run: RenewalRun, found: Found, kept: KeptToken): Promise<NextState> {
  const { deps, held } = run;
  const base = found?.record ?? emptyRecord;
  const intent = base.intent === null ? null : { ...base.intent, soleCall: false };
  if (await isPutBack(run, { ...base, intent }, found, kept)) return { to: "reading" };
  // Refused or unclear: read and probed again, though never without the lock.
  const isOurs = held.intent !== undefined || held.heldUntil() > deps.clock.monotonic();
  return isOurs
    ? { to: "reading" }
    : { to: "idle", end: unreachable("The renewal lock was lost before the remembered token was stored.") };
}

/**
 * R4, before it renews: a token that is remembered and lives, as one whose answer came late does, settles the call
 * of the intent that stands. It is stored in place of an issue.
 */
export async function settlingBack(run: RenewalRun, standing: Standing, kept: KeptToken): Promise<NextState> {
  if (!(await isPutBack(run, { ...standing.record, intent: null }, standing, kept))) return { to: "reading" };
  const detail = "An earlier renewal had left its intent; the token that this process remembers lives.";
  return { to: "idle", end: { kind: "nothing-to-do", detail } };
}

async function isPutBack(
  run: RenewalRun,
  base: TokenRecord,
  over: NonNullable<Found> | undefined,
  kept: KeptToken,
): Promise<boolean> {
  const { deps, memory } = run;
  const { token, name, issuedAt, expiresAt } = kept;
  const generation = Math.max(base.generation, kept.generation) + 1;
  const record: TokenRecord = {
    ...base,
    generation,
    token,
    name,
    issuedAt,
    expiresAt,
    dueWhenIssued: false,
    home: homeOf(over),
    writtenBy: writtenBy(run),
  };
  const since = deps.clock.monotonic();
  memory.remembered.lives({ ...kept, since });
  const end = await writeRecord(deps.store, record, over?.version);
  if (end.kind !== "written") return false;
  memory.remembered.lives({ ...kept, generation, since });
  deps.emit({
    type: "record-put-back",
    generation,
    id: token.fingerprint(),
    lastWriter: over?.lastWriter?.(),
    wasGone: over === undefined,
  });
  await deps.consumer.noticeRecord();
  return true;
}
