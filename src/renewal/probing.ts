import { untilAborted } from "../lib/async.ts";
import { dayMs } from "../lib/duration.ts";
import { plainVerdict, type TokenVerdict } from "../presto/probe.ts";
import type { TokenRecord } from "../store/contract.ts";
import { homeKept } from "../store/home.ts";
import { emptyRecord } from "../store/record.ts";
import { youngLeftMs, youngMs } from "../token/health.ts";
import {
  chooseAccount,
  type Found,
  isAboutToEnd,
  latelyMs,
  type NextState,
  type RenewalRun,
  storedId,
  tellDeath,
  writeRecord,
  writtenBy,
} from "./run.ts";
import { unreachable } from "./types.ts";

type Probing = Extract<NextState, { to: "probing" }>;

/**
 * R2. What the stored token is decides what may follow. An outage is when answers get lost,
 * so nothing is begun in one, unless the token is about to end anyway. Dates that others have made, or will
 * read, are compared by Presto's clock: processes on several hosts count deaths, and their clocks may differ by hours.
 */
export async function probing(run: RenewalRun, { found, reason }: Probing): Promise<NextState> {
  const { deps } = run;
  const account = await chooseAccount(run);
  if ("kind" in account) return { to: "idle", end: account };

  const record = found?.record ?? emptyRecord;
  const expiresAt = record.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  const verdict = await probeStored(run, found);
  if (verdict === undefined) return { to: "idle", end: { kind: "shut-down" } };
  // Only now: a probe takes its time, and has told what time it is there.
  const now = deps.prestoNow();
  switch (verdict) {
    case "alive":
    case "alive-lately": {
      if (reason === "rejected") {
        return {
          to: "idle",
          end: { kind: "nothing-to-do", detail: "Presto accepts the stored token after all." },
        };
      }
      if (reason === "scheduled" && isDueByOurClockAlone(run, record)) {
        deps.clockAlarm.latch(record);
        const detail = "By Presto's clock the stored token is not due: this machine's is wrong.";
        return { to: "idle", end: { kind: "nothing-to-do", detail } };
      }
      const { leaseMs, settleMs } = deps.times;
      // It must not die of old age while it is to be the proof.
      const soleCall =
        verdict === "alive" && record.expiresAt !== null && expiresAt > now + leaseMs + settleMs;
      return { to: "intending", found, reason, soleCall };
    }
    case "absent":
      return { to: "intending", found, reason, soleCall: false };
    case "dead": {
      const id = storedId(found);
      const isKnown = run.memory.accountedFor === id || record.lastDeath === id;
      if (reason !== "rejected" || expiresAt <= now || isKnown)
        return { to: "intending", found, reason, soleCall: false };
      const list = [...recentDeaths(record.unexplainedDeaths, now), new Date(now)];
      const limit = reachedLimit(list, now);
      if (limit !== undefined) return latchAlarm(run, found, list, limit);
      return { to: "intending", found, reason, soleCall: false, deaths: list };
    }
    case "young": {
      if (run.trigger.request?.force === true) return { to: "intending", found, reason, soleCall: false };
      const leftMs = record.issuedAt === null ? 0 : youngLeftMs(record.issuedAt, deps.prestoNow());
      const nextLookMs = leftMs > 0 ? leftMs : youngMs;
      const at = new Date(deps.clock.now() + nextLookMs).toISOString();
      const detail = `Presto answers 401 to the stored token, but that is younger than ${youngMs / 1000} s: its own replicas may not know it yet, so it is not taken for dead. The next look is at ${at}.`;
      return { to: "idle", end: { kind: "young-token", detail, nextLookMs } };
    }
    // A blind one answers, and no probe will ever tell more: a person need not wait for the last day.
    case "blind":
    case "unclear":
      if (isAboutToEnd(run, found) || (verdict === "blind" && reason === "manual"))
        return { to: "intending", found, reason, soleCall: false };
      return {
        to: "idle",
        end: {
          kind: "unreachable",
          detail: deps.mayLeave()
            ? "Presto gave no answer that tells whether the stored token lives, so nothing was begun."
            : "This process would leave from an address that is not registered, so nothing was begun.",
        },
      };
  }
}

/**
 * The stored token was due again as soon as it was issued, and by Presto's clock it is not: a wrong clock costs one issue,
 * and not another one with each start.
 */
function isDueByOurClockAlone({ deps }: RenewalRun, record: TokenRecord): boolean {
  return record.dueWhenIssued === true && !deps.isDue(record, deps.prestoNow());
}

/** Undefined if the process was asked to end meanwhile. */
async function probeStored(run: RenewalRun, found: Found): Promise<TokenVerdict | "absent" | undefined> {
  const { deps } = run;
  const token = found?.record.token ?? null;
  if (token === null) return "absent";
  if (!deps.mayLeave()) return "unclear";
  const verdict = await untilAborted(
    run.draining,
    deps.probe(token, {
      issuedAt: found?.record.issuedAt ?? null,
      acceptedFrom: () => deps.clock.monotonic() - latelyMs,
    }),
  );
  if (verdict === undefined) return undefined;
  deps.consumer.probed(token, plainVerdict(verdict));
  if (verdict === "alive") run.memory.remembered.storedLives(found, deps.clock.monotonic());
  if (verdict === "dead") run.memory.remembered.died(token.fingerprint());
  return verdict;
}

/** The limit is reached: somebody else issues on this account. No issue call any more, until a person clears it. */
async function latchAlarm(
  run: RenewalRun,
  found: Found,
  list: readonly Date[],
  limit: ReachedLimit,
): Promise<NextState> {
  const { deps } = run;
  const record = found?.record ?? emptyRecord;
  const at = new Date(deps.clock.now());
  const reason = `The stored token was found dead ${limit.count} times within ${limit.words} without a renewal of ours: somebody else issues tokens on this account, and each issue kills the other's. No token is issued until a person has ended that and runs: presto-sidecar token renew --force`;
  const end = await writeRecord(
    deps.store,
    {
      ...record,
      unexplainedDeaths: list,
      lastDeath: storedId(found) ?? null,
      stopped: { reason, at },
      home: homeKept(found),
      writtenBy: writtenBy(run),
    },
    found?.version,
  );
  if (end.kind === "refused") return { to: "reading" };
  if (end.kind === "unclear") {
    return { to: "idle", end: unreachable("The alarm could not be written to the token store.", end.cause) };
  }
  tellDeath(run, found, list.length);
  deps.emit({ type: "alarm-changed", alarm: { reason, at } });
  await deps.consumer.noticeRecord();
  return { to: "stopped", end: { kind: "stopped", detail: reason } };
}

const minuteMs = 60_000;

/** So many deaths in a window are no accident any more (LIMIT in DEATH_WINDOW): two faults explain two, three can explain three. */
const limits = [
  { most: 4, withinMs: 10 * minuteMs, words: "10 minutes" },
  { most: 8, withinMs: dayMs, words: "24 hours" },
] as const;

/** The limit that was reached: so many deaths, within that time. */
export interface ReachedLimit {
  readonly count: number;
  readonly words: string;
}

/** Those that still count: less than 24 h from now, by a clock that may have been set back since. */
export function recentDeaths(deaths: readonly Date[], now: number): readonly Date[] {
  return deaths.filter((at) => Math.abs(now - at.getTime()) < dayMs);
}

/** Do these deaths mean that somebody else issues tokens on this account? Undefined: not yet. */
export function reachedLimit(deaths: readonly Date[], now: number): ReachedLimit | undefined {
  for (const { most, withinMs, words } of limits) {
    const count = deaths.filter((at) => Math.abs(now - at.getTime()) < withinMs).length;
    if (count >= most) return { count, words };
  }
  return undefined;
}
