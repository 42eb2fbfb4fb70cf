import { setTimeout as pause } from "node:timers/promises";

import type { JsonObject } from "../../src/lib/json.ts";
import { callOverSocket } from "../support/socket-call.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";
import type { WatchedCli } from "../support/watched-cli.ts";
import { type Books, type Caller, startCaller } from "./money-kills-callers.ts";
import { type LifeOptions, type MoneyHost, settleMs, timeoutMs } from "./money-kills-host.ts";
import { judgeList } from "./money-kills-list.ts";
import type { KillMoment, RoundPlan } from "./money-kills-plan.ts";
import { saidOf } from "./money-kills-record.ts";
import { setStage } from "./money-kills-stage.ts";
import { type Step, stepOf } from "./money-kills-step.ts";

/** A Presto with its sidecars and all that was asked of them so far. */
export interface Lane {
  readonly host: MoneyHost;
  readonly callers: Caller[];
  /** Ids of the confirms that Presto has read. */
  readonly read: Set<string>;
  /** The sidecar that is killed. */
  sidecar: WatchedCli;
  /** `performance.now()` of its start. */
  begunAt: number;
  isStopped(): boolean;
}

/** What one round came to. */
export interface RoundStory {
  readonly plan: RoundPlan;
  /** In the order of its transactions. */
  readonly steps: readonly Step[];
  /** Bytes of the record that were lost with the power. */
  readonly lost: number;
  /** The record ended with an unfinished line when the next sidecar was started. */
  readonly torn: boolean;
  /** From the kill until the next sidecar listened, milliseconds. */
  readonly awayMs: number;
  /** What was not as promised. */
  readonly problems: readonly string[];
}

const order = JSON.stringify({
  customer: { identifier_type: "phone", identifier: "218910000000" },
  amount: 10.5,
  currency: "LYD",
});

/** The longest that a kill waits for its moment, milliseconds. */
const momentMs = 1_000;
/** The least from a kill to the end of its round, milliseconds. */
const afterKillMs = 1_800;
const patienceMs = 60_000;

/** One round: confirms at many steps, a kill, and the next sidecar, which has to know of all of them. */
export async function playRound(lane: Lane, plan: RoundPlan, next: LifeOptions): Promise<RoundStory> {
  const { host } = lane;
  const problems: string[] = [];
  const references: string[] = [];
  // One after the other, over one connection: that is no part of what is tried.
  while (references.length < plan.runs.length) references.push(await beginTransaction(host));
  const stage = setStage(host.sandbox, plan, references);
  const callers = await beginCalls(lane, plan, references, stage.strikeConnections);
  await hitMoment(lane, plan.moment, callers.at(-1));
  if (plan.afterMs >= 1) await pause(plan.afterMs);
  const killed = lane.sidecar;
  if (killed.child.exitCode !== null) problems.push(`the sidecar ended by itself: ${killed.err()}`);
  killed.child.kill("SIGKILL");
  const killedAt = performance.now();
  await killed.ended;
  const executed = stage.killed();
  // What a dead process has left in the kernel is read within some turns.
  await pause(5);
  noteRead(lane);
  const lines = plan.record ? host.lines("first") : undefined;
  const steps = callers.map((caller) =>
    stepOf(caller, { killedAt, lines, read: lane.read, moved: host.books.moved(caller.reference) }),
  );
  if (lines !== undefined && !plan.replicas)
    problems.push(...callers.flatMap((caller) => judgeLines(caller, lines, host.books)));
  const lost = plan.powerCut ? host.cutPower(plan.kept) : 0;
  if (plan.tears) host.tear(plan.kept);
  const torn = plan.record && host.isTorn();
  if (plan.record) problems.push(...judgeBefore(lane, killedAt));
  const verified = plan.record ? host.verify("first", headIn(killed)) : undefined;
  lane.sidecar = await host.start("first", next).catch(async (error: unknown) => {
    const found = [...problems, await verified, error instanceof Error ? error.message : String(error)];
    throw new Error(`round ${plan.number}: ${found.filter((one) => one !== undefined).join("; ")}`);
  });
  const awayMs = performance.now() - killedAt;
  lane.begunAt = lane.sidecar.spawnedAt;
  const fault = await verified;
  if (fault !== undefined) problems.push(fault);
  await executed;
  await pause(Math.max(0, killedAt + afterKillMs - performance.now()));
  // They know of no more than statuses: what they do must be over before the next kill.
  const clients = callers.filter((caller) => caller.plan.caller === "http-client");
  await within(Promise.all(clients.map(({ done }) => done)), "the end of the HTTP clients' tries");
  noteRead(lane);
  if (next.record) problems.push(...(await judgeList(host, "first", lane.callers)));
  return { plan, steps, lost, torn, awayMs, problems };
}

/** Is the line of each confirm that Presto has read there, whatever was lost with the power? */
function judgeBefore({ host, callers, read, begunAt }: Lane, killedAt: number): string[] {
  const lines = [...host.lines("first"), ...host.lines("second")];
  const taken = new Set(lines.filter(({ type }) => type === "call-begun").map((line) => line["request_id"]));
  const ids = callers.flatMap(({ attempts }) =>
    attempts
      .filter((one) => one.begunAt > begunAt && one.begunAt <= killedAt)
      .map(({ requestId }) => requestId),
  );
  const missing = new Set(ids.filter((id) => read.has(id) && !taken.has(id)));
  return [...missing].map((id) => `Presto has read ${id}, and its line is not there`);
}

/** Nothing is under way any more: what the lines say of the money must be so, whichever line was the last. */
function judgeLines({ reference, plan }: Caller, lines: readonly JsonObject[], books: Books): string[] {
  const said = saidOf(lines, reference);
  const moved = books.moved(reference);
  if (said === "open" || (said === "completed") === moved > 0) return [];
  return [`${reference} (run ${plan.number}): its lines say ${said}, and its money has moved ${moved} times`];
}

/** Until it is read by the sidecar, a transaction is none of its business: Presto begins it. */
async function beginTransaction({ socket }: MoneyHost): Promise<string> {
  return until(
    async () => {
      const reply = await callOverSocket(socket("first"), {
        method: "POST",
        path: walletPaths.init,
        body: order,
      });
      if (reply.kind !== "reply" || reply.status !== 200) return undefined;
      const data: unknown = reply.body["data"];
      return String(Reflect.get(Object(data), "transaction_reference"));
    },
    { withinMs: patienceMs, everyMs: 50, what: "a transaction to confirm" },
  );
}

/** Comes back when the last call of the round has begun. */
async function beginCalls(
  lane: Lane,
  plan: RoundPlan,
  references: readonly string[],
  strikeConnections: () => void,
): Promise<readonly Caller[]> {
  const { host } = lane;
  const first = host.socket("first");
  const longest = Math.max(...plan.runs.map(({ leadMs }) => leadMs));
  const startsAt = performance.now();
  const at = (ms: number): Promise<void> => pause(Math.max(0, startsAt + longest - ms - performance.now()));
  const callers = plan.runs.map(async (run, index) => {
    await at(run.leadMs);
    const isBalanced = plan.replicas && run.caller === "by-the-docs";
    return startCaller(run, references[index] ?? "", {
      sockets: isBalanced ? [first, host.socket("second")] : [first],
      books: host.books,
      overMs: timeoutMs + settleMs,
      isStopped: lane.isStopped,
    });
  });
  const others = [at(3).then(strikeConnections)];
  if (plan.tokenMs !== undefined) others.push(at(plan.tokenMs).then(() => host.replaceToken()));
  await Promise.all(others);
  const begun = await Promise.all(callers);
  lane.callers.push(...begun);
  return begun;
}

/** Comes back when the last call has come so far; or after a while, where it does not. */
async function hitMoment({ host }: Lane, moment: KillMoment, caller: Caller | undefined): Promise<void> {
  if (caller === undefined) return;
  const { reference, attempts } = caller;
  const path = `${walletPaths.transaction}/${reference}`;
  const seen = (): boolean => {
    switch (moment) {
      case "time":
        return true;
      case "line":
        return host.isNamed(reference);
      case "read":
        return host.sandbox.received().some(({ rawHeaders }) => rawHeaders.includes(idOf(caller)));
      case "acted":
        return host.books.moved(reference) > 0;
      case "asked":
        return host.sandbox.received().some(({ target }) => target === path);
      case "told":
        return attempts.some(({ told }) => told !== undefined);
    }
  };
  const endsAt = performance.now() + momentMs;
  while (!seen() && performance.now() < endsAt) await pause(1);
}

function idOf({ attempts }: Caller): string {
  return attempts.at(-1)?.requestId ?? "";
}

function noteRead({ host, read }: Lane): void {
  for (const { target, rawHeaders } of host.sandbox.received()) {
    if (target !== walletPaths.confirm) continue;
    const id = rawHeaders.findIndex((part) => part.toLowerCase() === "x-request-id");
    read.add(rawHeaders[id + 1] ?? "");
  }
}

/** The head of the record that has left the machine last. */
function headIn(sidecar: WatchedCli): string | undefined {
  const told = sidecar.lines().findLast(({ audit, head }) => audit === true && typeof head === "string");
  return told === undefined ? undefined : String(told["head"]);
}

async function within(promise: Promise<unknown>, what: string): Promise<void> {
  let isOver = false;
  void promise.then(() => {
    isOver = true;
  });
  await until(() => isOver || undefined, { withinMs: patienceMs, what });
}
