import { setTimeout as pause } from "node:timers/promises";

import { runCli } from "../support/built-cli.ts";
import { setStage } from "../support/renewal-stage.ts";
import type { Stage } from "../support/renewal-stage.ts";
import { until } from "../support/until.ts";
import { lastState, movedTo, timeOf } from "../support/watched-cli.ts";
import type { WatchedCli } from "../support/watched-cli.ts";
import type { Lane } from "./kill-nine-host.ts";
import type { RoundPlan } from "./kill-nine-plan.ts";
import { promisedAfter, remainsOf } from "./kill-nine-remains.ts";
import type { Promised, Remains } from "./kill-nine-remains.ts";
import type { RoundStory } from "./kill-nine-story.ts";

/** SETTLE of a process that has to wait for it. */
const settleMs = 3_000;
/** SETTLE of one that must not wait: whoever waits for this does not come back in time. */
const neverMs = 60_000;
/** From the kill to a served call; two probes 2 s apart and a start are in it, and a machine with other things to do. */
const patienceMs = 20_000;

/** What a kill left. */
interface Left {
  readonly state: string;
  readonly remains: Remains;
  readonly promised: Promised;
}

/** One round: a renewal, a kill (or two), a restart, and a token that serves again. */
export async function playRound(lane: Lane, plan: RoundPlan): Promise<RoundStory> {
  const { host, callers } = lane;
  const begunAt = performance.now();
  const problems = [...(await prepare(lane, plan))];
  const issuesBefore = host.issueCalls();
  const stage = await setStage(host, plan.moment);
  await hitMoment(lane, plan, stage);
  const all = [await kill(lane, plan.executedAfterMs !== undefined)];
  await stage.release();
  let killedAt = performance.now();
  let left = all[0];
  if (plan.againAfterMs !== undefined && left !== undefined) {
    const second = lane.start(settleOf(left.promised));
    await second.line(movedTo("reading"));
    await pause(plan.againAfterMs);
    left = await kill(lane, false);
    killedAt = performance.now();
    all.push(left);
  }
  if (left === undefined) throw new Error("nothing was killed");

  const issuesAtKill = host.issueCalls();
  const sidecar = lane.start(settleOf(left.promised));
  const executing =
    plan.executedAfterMs === undefined ? undefined : pause(plan.executedAfterMs).then(stage.execute);
  const shown = runCli(["token", "show", "--json"], { env: host.env() });
  const served = await within(callers.log.servedAfter(killedAt), "a served call", sidecar);
  await executing;
  await within(host.settled(2 * patienceMs), "a settled record", sidecar);
  const settledAt = performance.now();
  await sidecar.rested(patienceMs);

  const issues = host.issueCalls();
  const { code, err } = await shown;
  // Without a token there is none to show; only then.
  if (code !== 0 && !(code === 66 && left.remains.startsWith("no token")))
    problems.push(`token show ended with ${code}: ${err}`);
  problems.push(...judgeRecovery(sidecar, left, issues - issuesAtKill));
  const leftovers = host.leftovers();
  if (leftovers.length > 1) problems.push(`leftovers grow: ${leftovers.join(", ")}`);
  const lost = plan.moment.issue === undefined ? 0 : 1;
  const most = 1 + all.length + lost;
  if (issues - issuesBefore > most)
    problems.push(`${issues - issuesBefore} issue calls, and ${most} are explained`);
  const answered = callers.log.failed().filter((call) => call.end === "answered" && call.begunAt >= begunAt);
  // A death that no intent explained, before the kill or after it, may take longer to be found than calls are held.
  const unexplained = plan.moment.provoke === "revoked" || left.remains === "no intent, token dead";
  for (const { kind, status } of answered) {
    if (status !== 401 || !unexplained) problems.push(`${kind} was answered ${status}`);
  }
  if ((await host.record())?.stopped !== null) problems.push("the alarm is latched");
  return {
    plan,
    states: all.map(({ state }) => state),
    remains: all.map(({ remains }) => remains),
    waits: left.promised.waits,
    servedMs: served.endedAt - killedAt,
    settledMs: settledAt - killedAt,
    refused: answered.length,
    issueCalls: issues - issuesBefore,
    problems,
  };
}

/** What the round needs before its renewal begins; what was not in order. */
async function prepare(lane: Lane, { moment, emptied }: RoundPlan): Promise<readonly string[]> {
  if (moment.provoke === "wish") return [];
  const { host } = lane;
  const problems = [...(await lane.stop())];
  if (emptied) host.forget();
  if (moment.provoke === "first") return problems;
  if (emptied) {
    lane.start(`${settleMs}ms`);
    await host.settled(patienceMs);
    problems.push(...(await lane.stop()));
  }
  // A process that has just made its token would not believe for 30 s that it is dead.
  lane.start(`${settleMs}ms`);
  await lane.callers.log.servedAfter(lane.sidecar().spawnedAt);
  return problems;
}

/** Begins the renewal and comes back when it is time to kill. */
async function hitMoment(lane: Lane, { moment, afterMs }: RoundPlan, stage: Stage): Promise<void> {
  const { host } = lane;
  const sidecar = moment.provoke === "first" ? lane.start(`${settleMs}ms`) : lane.sidecar();
  const from = moment.provoke === "first" ? 0 : sidecar.lines().length;
  if (moment.provoke === "revoked") host.revoke();
  // The wait ends with the process that is asked.
  if (moment.provoke === "wish") host.renew("0s").catch(() => {});
  // What it waits for when the process is killed does not come any more.
  stage.steer(sidecar, from).catch(() => {});
  switch (moment.killAt) {
    case "begun":
      if (moment.provoke === "first") await sidecar.line(movedTo("reading"), from);
      break;
    case "issue-seen":
      await stage.issueSeen();
      break;
    default:
      await within(sidecar.line(movedTo(moment.killAt), from), `the state ${moment.killAt}`, sidecar);
  }
  await pause(afterMs);
}

async function kill({ host, sidecar }: Lane, executedLater: boolean): Promise<Left> {
  const killed = sidecar();
  killed.child.kill("SIGKILL");
  await killed.ended;
  await host.wireIsRead();
  const record = await host.record();
  const remains = remainsOf(record, host.liveId());
  return {
    state: lastState(killed.lines()),
    remains,
    promised: promisedAfter(remains, executedLater, record?.intent?.soleCall === true),
  };
}

function settleOf({ waits }: Promised): string {
  return `${waits ? settleMs : neverMs}ms`;
}

/** Did the next process do what the protocol says, no more and no less? */
function judgeRecovery(sidecar: WatchedCli, { remains, promised }: Left, issues: number): readonly string[] {
  const found: string[] = [];
  if (issues !== promised.issues)
    found.push(`after "${remains}" ${issues} issue calls were made, not ${promised.issues}`);
  const lines = sidecar.lines();
  const settling = lines.find(movedTo("settling"));
  const call = lines.find((line) => line["msg"] === issueBegun);
  if (promised.waits && settling !== undefined && call !== undefined) {
    const waited = timeOf(call) - timeOf(settling);
    // Two clocks are read, in whole milliseconds.
    if (waited < settleMs - 5)
      found.push(`after "${remains}" an issue call was made ${waited} ms into SETTLE`);
  }
  return found;
}

const issueBegun = "An issue call is begun; from here on the stored token may be dead.";

async function within<T>(promise: Promise<T>, what: string, sidecar: WatchedCli): Promise<T> {
  let done: { readonly value: T } | undefined;
  const noted = promise.then((value) => {
    done = { value };
  });
  const story = (): string =>
    `${what}; the log ends: ${sidecar
      .lines()
      .slice(-12)
      .map((line) => JSON.stringify(line))
      .join("\n")}`;
  await Promise.race([noted, until(() => done, { withinMs: patienceMs, what: story })]);
  if (done === undefined) throw new Error(story());
  return done.value;
}
