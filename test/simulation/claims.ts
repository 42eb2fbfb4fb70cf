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

/** What must be so at every moment of a world: what it cost, and whether the alarm may be set. */
export function checkCost(world: World): void {
  const { scenario, faults, witness } = world;
  // Judged by what is played there.
  if (scenario.kind === "rivalry") return;
  const began = scenario.beginning === "dead" || scenario.beginning === "intent" ? 1 : 0;
  const foreign = faults.counts().get("foreign-issue") ?? 0;
  // A reset may kill a token that nobody asked to end.
  const own = faults.total() - foreign + began + (scenario.resetKillsToken ? scenario.resets : 0);
  const allowed = 2 * own + Math.min(foreign, limit - 1) + scenario.wishes;
  const { issueCalls, unaskedIssues } = witness.counts();
  if (scenario.kind === "manual" && scenario.wishes === 0 && issueCalls > 0)
    throw new Violation("manual", "a token was asked for, and no person wanted one");
  if (unaskedIssues > allowed)
    throw new Violation(
      "cost",
      `${unaskedIssues} issues that nothing was due for, and ${own} faults, ${foreign} foreign issues`,
    );
  if (witness.alarmAt() !== undefined && own < limit - 1 && foreign < limit)
    if (own === 0 || foreign === 0)
      throw new Violation("alarm", `the alarm is set after ${own} faults and ${foreign} foreign issues`);
}

/** L1 and L3: the store holds the live token, no intent stands, and everybody uses that token. */
export function findUnsettled({ scenario, store, presto, sidecars }: World): string | undefined {
  const found = store.current()?.record;
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
