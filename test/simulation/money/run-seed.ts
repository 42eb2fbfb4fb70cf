import type { AnySeedResult } from "../crew.ts";
import { createRandom, type Random } from "../random.ts";
import { createStory } from "../story.ts";
import { createTimeline, type Timeline } from "../timeline.ts";
import { Violation } from "../violation.ts";
import { createApps, type Habit } from "./apps.ts";
import { createClaims } from "./claims.ts";
import { drawMoneyScenario, type MoneyScenario } from "./scenario.ts";
import { createSimPresto, type SimPresto } from "./sim-presto.ts";
import { createSite, type Site } from "./site.ts";
import { createTruth } from "./truth.ts";

/** What one seed came to. */
export interface MoneySeedResult extends AnySeedResult {
  readonly kind: MoneyScenario["kind"];
  readonly steps: number;
  readonly simulatedMs: number;
  readonly confirms: number;
  readonly moved: number;
  readonly crashes: number;
}

const lookEveryMs = 500;
/** Everything has settled by then: docs/money.md says a minute and a question, and what was down comes back before. */
const patienceMs = 150_000;
/** The second look at what was believed to have failed comes after eleven minutes. */
const lateWordMs = 13 * 60_000;
/** A seed that takes so many steps will not end. */
const mostSteps = 300_000;

/** The record is written at the end of a turn of the event loop: a step is over when a few turns have passed. */
function whenTurnsAreOver(run: () => void): void {
  setImmediate(() => setImmediate(() => setImmediate(run)));
}

/** Plays the world of a seed to its end. */
export async function runMoneySeed(seed: number, isTold: boolean): Promise<MoneySeedResult> {
  const random = createRandom(seed);
  const scenario = drawMoneyScenario(seed, random.fork());
  const timeline = createTimeline(whenTurnsAreOver);
  const story = createStory(timeline, isTold);
  const truth = createTruth(scenario, random.fork(), timeline.now);
  const claims = createClaims(scenario, truth);
  const references: string[] = [];
  const shared = new Set<string>();
  let error: Error | undefined;
  let isOver = false;
  const onError = (thrown: unknown): void => {
    error ??= thrown instanceof Error ? thrown : new Error("not an error", { cause: thrown });
  };
  story.tell(() => `seed ${seed}: ${JSON.stringify(scenario)}`);
  const presto = createSimPresto({
    scenario,
    timeline,
    random: random.fork(),
    story,
    truth,
    onSending(id, _reference, process) {
      const call = apps.callOf(id);
      if (call === undefined) throw new Violation("truth", `nobody has asked for ${id}`);
      claims.sending(call, process);
    },
  });
  const sites = ["a", "b"].map((name) =>
    createSite({ name, scenario, timeline, random: random.fork(), story, presto, onError }),
  );
  const apps = createApps({
    scenario,
    timeline,
    random: random.fork(),
    story,
    sites,
    onTold: claims.told,
    onError,
  });

  function begin(reference: string, site: Site, habit: Habit): void {
    truth.begin(reference);
    references.push(reference);
    if (habit === "strays") shared.add(reference);
    const callers = random.chance(0.25) ? 2 : 1;
    for (let caller = 0; caller < callers; caller += 1)
      timeline.after(random.between(0, 2_000), () => apps.pay(reference, site, habit));
  }

  /** Once more, now that nothing stands in the way. */
  function last(): void {
    for (const [index, site] of sites.entries()) begin(`TLAST${index}`, site, "follows");
    timeline.after(30_000, finish);
  }

  function finish(): void {
    for (const index of sites.keys())
      if (truth.moved(`TLAST${index}`) !== 1)
        throw new Violation("serves", `a payment at the end did not go through at sidecar ${index}`);
    claims.atTheEnd(sites, references, (reference) => shared.has(reference));
    void Promise.all(sites.map((site) => site.verify())).then(() => {
      isOver = true;
    }, onError);
  }

  function look(): void {
    const problem = sites.map((site) => claims.unsettled(site)).find((one) => one !== undefined);
    const until = scenario.faultsMs + scenario.settleMs + patienceMs;
    if (problem === undefined) timeline.after(scenario.kind === "late-word" ? lateWordMs : 0, last);
    else if (timeline.now() > until) throw new Violation("settled", problem);
    else timeline.after(lookEveryMs, look);
  }

  const habits: readonly Habit[] = ["follows", "follows", "repeats", "strays"];
  for (let index = 1; index <= scenario.transactions; index += 1) {
    const at = random.between(0, scenario.faultsMs);
    const site = random.pick(sites);
    const habit = random.pick(habits);
    timeline.after(at, () => begin(`T${index}`, site, habit));
  }
  scheduleFaults(scenario, { timeline, random, presto, sites });
  // What was given up when the faults ended may be carried out until SETTLE has passed.
  timeline.after(scenario.faultsMs + scenario.settleMs + scenario.timeoutMs, look);

  let failure: MoneySeedResult["failure"];
  try {
    for (const site of sites) site.start();
    await timeline.run(() => {
      if (error !== undefined) throw error;
      if (timeline.steps() > mostSteps) throw new Violation("end", `no end after ${mostSteps} steps`);
      return isOver;
    });
  } catch (thrown) {
    failure = describeFailure(thrown);
    story.tell(() => `FAILED ${failure?.property}: ${failure?.message}`);
  }
  return {
    seed,
    kind: scenario.kind,
    failure,
    steps: timeline.steps(),
    simulatedMs: timeline.now(),
    confirms: references.reduce((sum, reference) => sum + truth.executions(reference).length, 0),
    moved: references.reduce((sum, reference) => sum + truth.moved(reference), 0),
    crashes: sites.reduce((sum, site) => sum + site.crashes(), 0),
    story: story.lines(),
  };
}

interface FaultDeps {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly presto: SimPresto;
  readonly sites: readonly Site[];
}

/** What happens to the world at moments of its own. */
function scheduleFaults(
  { kind, crashEveryMs, faultsMs, badDisk }: MoneyScenario,
  { timeline, random, presto, sites }: FaultDeps,
): void {
  let tokens = 0;
  const rotate = (): void => {
    tokens += 1;
    const token = `token-${tokens}`;
    presto.accept(token);
    for (const site of sites) site.setToken(token);
  };
  rotate();
  for (const each of [0.3, 0.6]) if (random.chance(0.3)) timeline.after(each * faultsMs, rotate);
  if (random.chance(0.3))
    timeline.after(random.between(0, faultsMs), () => presto.fail(random.between(500, 8_000)));
  for (const site of sites) {
    if (crashEveryMs !== undefined) {
      const crash = (): void => {
        if (timeline.now() >= faultsMs) return;
        site.crash(kind === "power" || (kind === "storm" && random.chance(0.3)));
        timeline.after(crashEveryMs * random.between(0.2, 1.8), crash);
      };
      timeline.after(crashEveryMs * random.next(), crash);
    }
    if (badDisk > 0) {
      const disk = site.disk;
      if (random.chance(0.5))
        timeline.after(random.between(0, faultsMs), () => disk.fill(random.between(500, 15_000)));
      if (random.chance(0.5))
        timeline.after(random.between(0, faultsMs), () => disk.stall(random.between(500, 12_000)));
    }
  }
  timeline.after(faultsMs, () => {
    presto.mend();
    for (const site of sites) site.mend();
  });
}

function describeFailure(thrown: unknown): NonNullable<MoneySeedResult["failure"]> {
  if (thrown instanceof Violation) return { property: thrown.property, message: thrown.message };
  return {
    property: "defect",
    message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  };
}
