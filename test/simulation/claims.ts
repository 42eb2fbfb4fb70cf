import type { CallEnd, CallRecord } from "./call-record.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** LIMIT: so many deaths that nobody explains, within ten minutes, latch the alarm. */
export const limit = 4;

/** With these, a call may be refused for good though nothing else is wrong: nothing stands in the record that would tell a proxy to wait. */
const unannounced = new Set<FaultKind>([
  "backup-restored",
  "store-outage",
  "standby-lagging",
  "presto-outage",
  "clock-jump",
  "call-broken",
]);

/** Was the only fault of this world one that the record shows to everybody? */
function isAnnounced(world: World): boolean {
  return [...world.faults.counts()].every(([kind, count]) => count === 0 || !unannounced.has(kind));
}

/**
 * L2, where it is claimed: with no fault no call fails; with one, none is refused for good;
 * and once everything has settled, no call that begins then is refused, whatever there was before.
 */
export function checkCall(world: World, call: CallRecord, end: CallEnd, settledAt: number): void {
  const { kind, beginning, lagMs, tokenDays } = world.scenario;
  if (end.code === "egress-not-registered" && !world.addresses.everMoved())
    throw new Violation("gate", `${call.id} of ${call.process} was blocked, and every address is registered`);
  // A 401 that lies is a fault of Presto's, and a caller that has gone is told nothing.
  if (call.callerGone || lagMs > 0) return;
  // A life of minutes leaves no time to mend a fault.
  const isShortLived = tokenDays === 1;
  const what = `${call.id} of ${call.process} ended ${end.outcome} ${end.status} ${end.code}`;
  const isRefused = end.code === "no-token" || (end.outcome === "answered" && end.status === 401);
  if (isRefused && !isShortLived && call.begunAt > settledAt && staysSettled(world))
    throw new Violation("L2", `${what}, after everything had settled`);
  if (beginning !== "live") return;
  if (kind === "calm" && end.status !== 200) throw new Violation("L2", `${what}, and nothing was wrong`);
  if (kind === "single" && !isShortLived && isRefused && isAnnounced(world))
    throw new Violation("L2", `${what}, after a single fault`);
}

/** Can nothing that was begun before still kill the live token? */
function staysSettled({ scenario, faults, witness, store }: World): boolean {
  const { kind, settleTooShort, resets, resetKillsToken } = scenario;
  if (kind === "blind" || kind === "manual" || settleTooShort || faults.wasPausedPastTerm()) return false;
  // A process that starts while the store is away has no token, and nothing else could give it one.
  if (store.isDown()) return false;
  return witness.alarmAt() === undefined && (resets === 0 || !resetKillsToken);
}

/** Has nothing befallen this world but that its record was put back, or wiped? */
function isOnlyPutBack({ faults }: World): boolean {
  return [...faults.counts()].every(
    ([kind, count]) => count === 0 || kind === "backup-restored" || kind === "record-wiped",
  );
}

/** What must be so at every moment of a world: what it cost, and whether the alarm may be set. */
export function checkCost(world: World): void {
  const { scenario, faults, witness } = world;
  // Judged by what is played there.
  if (scenario.kind === "rivalry") return;
  const began = scenario.beginning === "dead" || scenario.beginning === "intent" ? 1 : 0;
  const foreign = faults.counts().get("foreign-issue") ?? 0;
  // A reset may kill a token that nobody asked to end.
  const own = faults.total() - foreign + began + (scenario.resetKillsToken ? scenario.resets : 0);
  const wanted = scenario.wishes.length + world.wishes.forced();
  const allowed = 2 * own + Math.min(foreign, limit - 1) + wanted;
  const { issueCalls, executedCalls, unaskedIssues, forgottenPutBacks } = witness.counts();
  // A record that is put back costs nothing where everybody knows the live token.
  if (scenario.kind === "put-back" && unaskedIssues > forgottenPutBacks + wanted && isOnlyPutBack(world))
    throw new Violation("cost", `${unaskedIssues} issues, though the live token was known to all who issue`);
  if (scenario.kind === "manual" && scenario.wishes.length === 0 && issueCalls > 0)
    throw new Violation("manual", "a token was asked for, and no person wanted one");
  if (scenario.kind === "deaf") checkDeaf(world, executedCalls);
  if (unaskedIssues > allowed)
    throw new Violation(
      "cost",
      `${unaskedIssues} issues that nothing was due for, and ${own} faults, ${foreign} foreign issues`,
    );
  // A latched alarm may come back with a record.
  if (scenario.beginning === "stopped") return;
  if (witness.alarmAt() !== undefined && own < limit - 1 && foreign < limit)
    if (own === 0 || foreign === 0)
      throw new Violation("alarm", `the alarm is set after ${own} faults and ${foreign} foreign issues`);
}

/** Where no answer can be read each call may cost a token: so each wait for the next is twice as long as the one before. */
function checkDeaf({ scenario, timeline }: World, executedCalls: number): void {
  const { deaf, times, imports } = scenario;
  const lastedMs = Math.min(timeline.now(), deaf.until) - deaf.from;
  if (lastedMs <= 0) return;
  // Before and after it as many as are due.
  const others = (deaf.from + Math.max(0, timeline.now() - deaf.until)) / 10_000 + 2 * imports.length;
  const most = Math.log2(lastedMs / times.settleMs + 2) + 3 + others;
  if (executedCalls > most)
    throw new Violation(
      "cost",
      `${executedCalls} issue calls in ${lastedMs} ms in which nobody could read an answer`,
    );
}

/** L1 and L3: the store holds the live token, no intent stands, and everybody uses that token. */
export function findUnsettled({
  scenario,
  store,
  presto,
  sidecars,
  wishes,
  witness,
  isImporting,
}: World): string | undefined {
  if (isImporting()) return "a token is being imported";
  // While the alarm is latched nobody issues, but a live token that is known is put back.
  if (witness.alarmAt() !== undefined) {
    const isLost = scenario.kind === "put-back" && !presto.isLive(store.current()?.record.token);
    return isLost && witness.isRemembered() ? "the live token is known, and not stored" : undefined;
  }
  const found = store.current()?.record;
  const wish = wishes.open();
  if (wish !== undefined) return wish;
  // Where only a person may have a token issued, nothing else can be expected.
  if (scenario.kind === "manual")
    return found === undefined || found.intent === null ? undefined : `the intent ${found.intent.id} stands`;
  const live = presto.live();
  if (live === undefined) return "no token lives";
  if (found === undefined || !presto.isLive(found.token)) return `${live.name} lives, and is not stored`;
  if (found.intent !== null) return `the intent ${found.intent.id} stands`;
  for (const { process, role, tokens, check } of sidecars()) {
    if (role !== "rotator" && !presto.isLive(tokens.ready()?.secret))
      return `${process.name} does not use ${live.name}`;
    if (!check.mayLeave()) return `${process.name} sends nothing`;
  }
  return undefined;
}
