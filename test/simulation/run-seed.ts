import { makeBeginning } from "./beginning.ts";
import { checkCall, checkCost, findUnsettled } from "./claims.ts";
import { drawScenario } from "./draw-scenario.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { createRandom } from "./random.ts";
import { playRivalry } from "./rivalry.ts";
import type { Scenario } from "./scenario.ts";
import { createStory } from "./story.ts";
import { schedulePeople, scheduleTimedFaults } from "./timed-faults.ts";
import { createTimeline } from "./timeline.ts";
import { Violation } from "./violation.ts";
import { createWorld } from "./world.ts";
import type { World } from "./world.ts";

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly kind: Scenario["kind"];
  /** Undefined if every property held. */
  readonly failure: { readonly property: string; readonly message: string } | undefined;
  readonly issueCalls: number;
  readonly calls: number;
  readonly failedCalls: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly alarm: boolean;
  readonly faults: readonly (readonly [FaultKind, number])[];
  readonly story: readonly string[];
}

/** How often it is looked whether everything has settled. */
const lookEveryMs = 200;
/** After that, calls must work for so long. */
const afterglowMs = 20_000;
/** A seed that takes so many steps will not end. */
const mostSteps = 400_000;

/** Plays the world of a seed to its end. */
export async function runSeed(seed: number, isTold: boolean): Promise<SeedResult> {
  const random = createRandom(seed);
  const scenario = drawScenario(seed, random.fork());
  const timeline = createTimeline();
  const story = createStory(timeline, isTold);
  let error: Error | undefined;
  let over = false;
  let forceAfter = 0;
  let settledAt = Number.POSITIVE_INFINITY;
  const world = createWorld({
    scenario,
    timeline,
    random: random.fork(),
    story,
    onEnd: (call, end) => checkCall(world, call, end, settledAt),
    onError: (thrown) =>
      (error ??= thrown instanceof Error ? thrown : new Error("not an error", { cause: thrown })),
  });
  story.tell(() => `seed ${seed}: ${describe(scenario)}`);

  function look(): void {
    checkCost(world);
    const problem = findUnsettled(world);
    if (problem !== undefined) forceHome();
    if (problem === undefined) settle();
    else if (timeline.now() > scenario.faultsMs + patienceMs(world)) throw new Violation("L1", problem);
    else timeline.after(lookEveryMs, look);
  }

  /** A record that names another object blocks whoever does not know the live token: only a person can end that. */
  function forceHome(): void {
    if (!world.store.isElsewhere() || world.witness.isRemembered() || timeline.now() < forceAfter) return;
    forceAfter = timeline.now() + 60_000;
    const issuer = world.sidecars().find(({ lifecycle }) => lifecycle !== undefined);
    if (issuer !== undefined) world.wishes.force(issuer);
  }

  function settle(): void {
    settledAt = timeline.now();
    story.tell(() => "everything has settled");
    timeline.after(afterglowMs, () => {
      world.callers.stop();
      over = true;
    });
  }

  function isOver(): boolean {
    if (error !== undefined) throw error;
    world.witness.look();
    if (timeline.steps() > mostSteps) throw new Violation("end", `no end after ${mostSteps} steps`);
    return over && world.callers.underWay() === 0;
  }

  timeline.after(scenario.faultsMs, () => {
    world.faults.stop();
    story.tell(() => "no more faults");
    for (const { process } of world.sidecars()) process.mendClock();
    if (scenario.kind === "rivalry") return;
    if (scenario.kind === "blind") settle();
    else look();
  });
  let failure: SeedResult["failure"];
  try {
    makeBeginning(world);
    scheduleTimedFaults(world);
    schedulePeople(world);
    world.start();
    world.startClone();
    if (scenario.kind === "rivalry") playRivalry(world, look);
    await timeline.run(isOver);
    checkCost(world);
  } catch (thrown) {
    failure = describeFailure(thrown);
    story.tell(() => `FAILED ${failure?.property}: ${failure?.message}`);
  }
  return {
    seed,
    kind: scenario.kind,
    failure,
    issueCalls: world.witness.counts().issueCalls,
    calls: world.callers.counts().calls,
    failedCalls: world.callers.counts().failed,
    steps: timeline.steps(),
    simulatedMs: timeline.now(),
    alarm: world.witness.alarmAt() !== undefined,
    faults: [...world.faults.counts()].filter(([, count]) => count > 0),
    story: story.lines(),
  };
}

/** Within this time after the last fault everything must have settled: pauses end, dead processes come back, calls and leases run out. */
function patienceMs({ scenario, faults }: World): number {
  const { leaseMs, settleMs, probeEveryMs, issueTimeoutMs } = scenario.times;
  const refusals = faults.counts().get("refused") ?? 0;
  // Where no answer could be read the last wait is as long as all before it.
  const deafMs = scenario.kind === "deaf" ? 3 * scenario.deaf.until : 0;
  return deafMs + 240_000 + 4 * (leaseMs + settleMs + issueTimeoutMs) + 3 * probeEveryMs + refusals * 120_000;
}

function describeFailure(thrown: unknown): NonNullable<SeedResult["failure"]> {
  if (thrown instanceof Violation) return { property: thrown.property, message: thrown.message };
  return {
    property: "defect",
    message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  };
}

function describe(scenario: Scenario): string {
  const { times, ...rest } = scenario;
  return JSON.stringify({ ...rest, ...times, epoch: new Date(scenario.epoch).toISOString() });
}
