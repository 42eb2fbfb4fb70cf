import { setTimeout as pause } from "node:timers/promises";

import type { JsonObject } from "../../src/lib/json.ts";
import { until } from "../support/until.ts";
import type { WatchedCli } from "../support/watched-cli.ts";
import { type Caller, firstId } from "./money-kills-callers.ts";
import { createMoneyHost, type MoneyHost, type Place } from "./money-kills-host.ts";
import { endsOf, type Evidence, isForEver, judgeCaller, wasForgotten } from "./money-kills-judge.ts";
import { judgeList } from "./money-kills-list.ts";
import type { RoundPlan } from "./money-kills-plan.ts";
import { type Lane, playRound, type RoundStory } from "./money-kills-round.ts";

/** What a lane came to. */
export interface LaneStory {
  readonly rounds: readonly RoundStory[];
  readonly callers: readonly Caller[];
  /** Transactions whose money has moved. */
  readonly moved: number;
  /** Transactions whose money has moved more than once, where docs say that it may. */
  readonly movedTwice: number;
  /** From giving up to knowing, milliseconds. */
  readonly settledMs: { readonly completed: readonly number[]; readonly failed: readonly number[] };
  /** At the end, since Presto never said. */
  readonly stillOpen: number;
  readonly problems: readonly string[];
}

export interface LaneOptions {
  readonly main: string | undefined;
  readonly onRound: (story: RoundStory) => void;
  /** Asked after each round: no more are played. */
  readonly isOver: (isAmiss: boolean) => boolean;
}

/** docs/money.md: what Presto says is known here a minute and a question later, at the most. */
const settledWithinMs = 70_000;

/** Plays the rounds one after the other, and judges at the end what callers were told and what the record says. */
export async function playLane(
  plans: readonly RoundPlan[],
  { main, onRound, isOver }: LaneOptions,
): Promise<LaneStory> {
  const host = await createMoneyHost(main);
  const sidecars: WatchedCli[] = [];
  let stopped = false;
  try {
    const [first] = plans;
    if (first === undefined) throw new Error("there are no rounds");
    const second = plans.some(({ replicas }) => replicas);
    if (second) sidecars.push(await host.start("second", { record: true, powerCut: false }));
    const sidecar = await host.start("first", first);
    const lane: Lane = {
      host,
      callers: [],
      read: new Set(),
      sidecar,
      begunAt: sidecar.spawnedAt,
      isStopped: () => stopped,
    };
    const rounds: RoundStory[] = [];
    for (const [index, plan] of plans.entries()) {
      const story = await playRound(lane, plan, plans[index + 1] ?? { record: true, powerCut: false });
      rounds.push(story);
      onRound(story);
      stopped = isOver(isAmiss(lane, plans, story));
      if (stopped) break;
    }
    const isWhole = !stopped;
    await Promise.all(lane.callers.map(({ done }) => done));
    stopped = true;
    const places: readonly Place[] = second ? ["first", "second"] : ["first"];
    sidecars.push(lane.sidecar);
    return await judgeLane(lane, plans, rounds, { places, sidecars, isWhole });
  } finally {
    stopped = true;
    for (const { child, ended } of sidecars) {
      child.kill("SIGKILL");
      await ended;
    }
    await host.close();
  }
}

interface Ends {
  readonly places: readonly Place[];
  readonly sidecars: readonly WatchedCli[];
  /** All rounds were played. */
  readonly isWhole: boolean;
}

async function judgeLane(
  lane: Lane,
  plans: readonly RoundPlan[],
  rounds: readonly RoundStory[],
  { places, sidecars, isWhole }: Ends,
): Promise<LaneStory> {
  const { host, callers } = lane;
  const problems: string[] = [];
  let stillOpen = 0;
  // Where it ends early, much is still on its way.
  for (const place of isWhole ? places : []) {
    problems.push(...(await judgeSettling(host, place, callers)));
    problems.push(...(await judgeList(host, place, callers)));
    const shown = await host.shownOutcomes(place);
    const { open } = await host.outcomes(place);
    if (shown.open.join() !== open.join())
      problems.push("outcomes --json shows another list than the sidecar has");
    stillOpen += open.length;
  }
  // What was given up last may still be on its way into the record.
  await pause(50);
  for (const { child, ended, err } of sidecars) {
    child.kill("SIGTERM");
    const code = await ended;
    if (code !== 0) problems.push(`a sidecar that was asked to end ended with ${code}: ${err()}`);
  }
  for (const place of places) {
    const fault = await host.verify(place, undefined);
    if (fault !== undefined) problems.push(fault);
  }
  const records = places.map((place) => host.lines(place));
  const evidence: Evidence = { books: host.books, read: lane.read, sharedIds: sharedIds(plans), records };
  const isPromised = promisedBy(plans, records);
  for (const caller of callers) problems.push(...judgeCaller(caller, isPromised(caller), evidence));
  const moves = callers.map(({ reference }) => host.books.moved(reference));
  return {
    rounds,
    callers,
    moved: moves.filter((times) => times > 0).length,
    movedTwice: callers.filter((caller) => !isPromised(caller) && host.books.moved(caller.reference) > 1)
      .length,
    settledMs: settledTimes(callers, evidence),
    stillOpen,
    problems,
  };
}

/** Whatever Presto says is known in time; and of what it never says, nothing is. */
async function judgeSettling(
  host: MoneyHost,
  place: Place,
  callers: readonly Caller[],
): Promise<readonly string[]> {
  const plans = new Map(callers.map(({ reference, plan }) => [reference, plan]));
  const due = async (): Promise<readonly string[]> =>
    (await host.outcomes(place)).open.filter((reference) => {
      const plan = plans.get(reference);
      return plan !== undefined && !isForEver(plan.question) && host.books.status(reference) !== "pending";
    });
  let left: readonly string[] = [];
  const look = async (): Promise<true | undefined> => {
    left = await due();
    return left.length === 0 ? true : undefined;
  };
  await until(look, { withinMs: settledWithinMs, everyMs: 100, what: "the ends" }).catch(() => undefined);
  return left.map(
    (reference) =>
      `${reference}: Presto says ${host.books.status(reference)}, and ${settledWithinMs} ms later it is not known`,
  );
}

/**
 * Whose money moves once at most: of callers that follow the docs, always. Of an HTTP client, which knows
 * nothing of money, where its call was under way in a sidecar that kept a record, and the next one goes on with that:
 * what is known completed is forgotten even then.
 */
function promisedBy(
  plans: readonly RoundPlan[],
  records: readonly (readonly JsonObject[])[],
): (caller: Caller) => boolean {
  const forgetful = new Set(
    plans
      .filter(({ record }, index) => !record || plans[index + 1]?.record === false)
      .flatMap(({ runs }) => runs.map(({ number }) => number)),
  );
  return ({ plan, reference }) =>
    plan.caller === "by-the-docs" ||
    (!forgetful.has(plan.number) && !records.some((lines) => wasForgotten(lines, reference)));
}

/** Can it be seen already that something is not as promised? */
function isAmiss({ host, callers }: Lane, plans: readonly RoundPlan[], { problems }: RoundStory): boolean {
  if (problems.length > 0 || callers.some(({ lies }) => lies.length > 0)) return true;
  const twice = callers.filter(({ reference }) => host.books.moved(reference) > 1);
  return twice.some(promisedBy(plans, [host.lines("first")]));
}

function sharedIds(plans: readonly RoundPlan[]): ReadonlySet<string> {
  const borrowed = plans.flatMap(({ runs }) => runs.filter(({ number, idOf }) => number !== idOf));
  return new Set(borrowed.map(firstId));
}

function settledTimes(callers: readonly Caller[], { records }: Evidence): LaneStory["settledMs"] {
  const ends = callers.flatMap(({ reference }) => endsOf(records, reference));
  const of = (status: string): number[] =>
    ends
      .filter(({ settled }) => settled["status"] === status)
      .map(({ settled, givenUpAt }) => Date.parse(String(settled["at"])) - givenUpAt);
  return { completed: of("completed"), failed: of("failed") };
}
