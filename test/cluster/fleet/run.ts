import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

import { createRandom, type Random } from "../../simulation/random.ts";
import { runCli } from "../../support/built-cli.ts";
import { type CallerLog, createCallerLog, type NotedCall } from "../../support/caller-log.ts";
import { judgeCalls } from "../../support/judge-calls.ts";
import { startCallers } from "../../support/load-callers.ts";
import { type Fleet, settle, startFleet } from "./fleet.ts";
import { judgeOverlaps, type Stop } from "./ledger.ts";
import type { FleetPlace } from "./place.ts";
import { failuresOf, type FleetStory, longestOf, timesOf } from "./report.ts";
import { leaseMs, type Strike, strikesOf } from "./strikes.ts";

export interface RunOptions {
  readonly seed: number;
  /** Milliseconds without a fault, and then with one after the other. */
  readonly peaceMs: number;
  readonly strikesMs: number;
  readonly callers: number;
  readonly renewEveryMs: number;
  /** The longest that a call may take in peace: GRACE and a second, on a machine that has nothing else to do. */
  readonly longestCallMs: number;
  /** Told what happens, as it does. */
  readonly tell: (line: string) => void;
}

/** Milliseconds after the peace in which its last calls end. */
const tailMs = 4_000;
const settleMs = 10_000;
const holdMaxMs = 5_000;
const convergesWithinMs = leaseMs + settleMs + holdMaxMs + 10_000;
/** Two faults within ten minutes never set the alarm, three can. */
const faultsThatExplainAlarm = 3;

/** Has a fleet renew under load, first in peace and then under faults, and judges what came of it. */
export async function runFleet(place: FleetPlace, options: RunOptions): Promise<FleetStory> {
  const { seed, peaceMs, strikesMs, callers, tell } = options;
  const fleet = await startFleet(place, { settleMs });
  const calls = noteCalls();
  const load = fleet.proxies.map(({ proxy }, index) =>
    startCallers({
      proxy,
      callers: Math.ceil((callers - index) / fleet.proxies.length),
      restMs: 100,
      log: calls.log,
    }),
  );
  const wishes = keepRenewing(fleet, options.renewEveryMs);
  const problems: string[] = [];
  try {
    tell(`${place.kind}: ${callers} callers, a wish every ${options.renewEveryMs / 1_000} s, in peace`);
    await pause(1_000);
    calls.begin();
    const before = fleet.ledger.calls.length;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await pause(peaceMs);
    const overAt = performance.now();
    // A call that is under way is judged, too.
    await pause(tailMs);
    delay.disable();
    const inPeace = calls.end().filter(({ begunAt }) => begunAt < overAt);
    const peace = {
      ...timesOf(inPeace),
      failed: inPeace.filter(({ end }) => end !== "served").length,
      renewals: fleet.ledger.calls.length - before,
      stoodStillMs: delay.max / 1_000_000,
    };
    if (peace.failed > 0)
      problems.push(`${peace.failed} calls failed without a fault: ${failuresOf(inPeace)}`);
    if (peace.longest > options.longestCallMs)
      problems.push(`without a fault ${longestOf(inPeace, fleet.ledger.calls)}`);
    if (peace.renewals === 0) problems.push("nothing was renewed without a fault");

    calls.begin();
    const stops: Stop[] = [];
    const strikes = await strike(fleet, createRandom(seed), strikesMs, stops, tell);
    await wishes.stop();
    const lossy = strikes.filter(({ losesTokens }) => losesTokens).length;
    const { convergedMs, alarm } = await converge(fleet, lossy, problems);
    tell(`converged after ${Math.round(convergedMs)} ms`);
    const struck = calls.end();
    await Promise.all(load.map(({ stop }) => stop()));

    const lies = struck.filter(
      ({ end, status }) => end === "unknown" || (end === "answered" && status !== 401),
    );
    if (lies.length > 0) problems.push(`with Presto and proxies well, calls ended so: ${failuresOf(lies)}`);
    const { confirms, transactions } = fleet.sandbox.state();
    problems.push(...judgeCalls(calls.log, { confirms, transactions }));
    const overlaps = judgeOverlaps(fleet.ledger.calls, stops, leaseMs);
    problems.push(...overlaps.problems);
    const issueCalls = fleet.ledger.calls.length;
    // One more for the first token, and one for each fault that may cost the one on its way.
    if (issueCalls > 1 + wishes.count() + 2 * strikes.length)
      problems.push(`${issueCalls} issue calls for ${wishes.count()} wishes and ${strikes.length} faults`);
    return {
      store: place.kind,
      seed,
      peace,
      struck: timesOf(struck),
      ends: calls.log.counts(),
      strikes: strikes.map(({ name }) => name),
      issueCalls,
      wishes: wishes.count(),
      excusedOverlaps: overlaps.excused,
      convergedMs,
      alarm,
      generation: (await place.record())?.generation ?? 0,
      problems,
    };
  } finally {
    await wishes.stop();
    // Callers end with the last answer: proxies have to be there.
    await Promise.all(load.map(({ stop }) => stop()));
    await fleet.close();
  }
}

/** One fault after the other, each kind as often as the next, until the time is over. @returns those that were */
async function strike(
  fleet: Fleet,
  random: Random,
  ms: number,
  stops: Stop[],
  tell: (line: string) => void,
): Promise<readonly Strike[]> {
  const endsAt = performance.now() + ms;
  const done: Strike[] = [];
  let deck: Strike[] = [];
  while (performance.now() < endsAt) {
    if (deck.length === 0) deck = shuffled(strikesOf(fleet), random);
    const next = deck.shift();
    if (next === undefined) break;
    if (performance.now() + next.leastMs > endsAt && done.length > 0) continue;
    const beganAt = performance.now();
    await next.run(fleet, random, stops);
    done.push(next);
    tell(`${next.name} (${Math.round(performance.now() - beganAt)} ms)`);
    if (performance.now() < endsAt) await pause(random.between(1_000, 6_000));
  }
  return done;
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((item) => ({ item, at: random.next() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item);
}

/** After the last fault: one live token, in the store, used by all; or the alarm, which a person ends. */
async function converge(
  fleet: Fleet,
  lossy: number,
  problems: string[],
): Promise<{ readonly convergedMs: number; readonly alarm: boolean }> {
  const beganAt = performance.now();
  const settled = settle(fleet, convergesWithinMs).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const alarmed = untilAlarm(fleet, convergesWithinMs);
  const outcome = await Promise.race([settled, alarmed]);
  if (outcome !== true) {
    if (outcome !== undefined) problems.push(outcome);
    return { convergedMs: performance.now() - beganAt, alarm: false };
  }
  if (lossy < faultsThatExplainAlarm)
    problems.push(`the alarm is latched after ${lossy} faults that can cost a token`);
  const [rotator] = fleet.rotators;
  if (rotator === undefined) throw new Error("there is no rotator");
  const { code, out, err } = await runCli(["token", "renew", "--force", "--wait", "60s"], {
    env: rotator.env(),
  });
  if (code !== 0) problems.push(`token renew --force ended with ${code}: ${out}${err}`);
  await settle(fleet, convergesWithinMs).catch((error: unknown) => problems.push(String(error)));
  return { convergedMs: performance.now() - beganAt, alarm: true };
}

async function untilAlarm({ place }: Fleet, withinMs: number): Promise<true | undefined> {
  const endsAt = performance.now() + withinMs + 5_000;
  while (performance.now() < endsAt) {
    const record = await place.record().catch(() => undefined);
    if (record !== undefined && record.stopped !== null) return true;
    await pause(500);
  }
  return undefined;
}

/** A person's wish now and then, told to the rotators in turn; to the other where the first one does not answer. */
function keepRenewing({ rotators }: Fleet, everyMs: number) {
  let wishes = 0;
  let going = true;
  const over = new AbortController();
  const running = (async () => {
    while (going) {
      for (const { renew } of wishes % 2 === 0 ? rotators : rotators.toReversed()) {
        // One that is stopped answers nothing for long.
        const answer = await Promise.race([renew("wait=0s"), pause(1_000)]);
        if (answer !== undefined && (answer.status === 200 || answer.status === 202)) break;
      }
      wishes += 1;
      await pause(everyMs, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  return {
    count: () => wishes,
    async stop() {
      going = false;
      over.abort();
      await running;
    },
  };
}

/** A log that keeps the calls of a phase by themselves: those that begin in it. */
function noteCalls() {
  const log = createCallerLog();
  let phase: NotedCall[] = [];
  let from = 0;
  const noting: CallerLog = {
    ...log,
    note(call) {
      log.note(call);
      if (call.begunAt >= from) phase.push(call);
    },
  };
  return {
    log: noting,
    begin() {
      phase = [];
      from = performance.now();
    },
    end: (): readonly NotedCall[] => phase,
  };
}
