import type { ConnectionFault } from "../../src/sandbox/fault-kinds.ts";
import { createRandom, type Random } from "../simulation/random.ts";
import { deal, drawIn, type Span } from "../support/deck.ts";
import {
  aboutAnother,
  type ConfirmFault,
  confirmFaults,
  connectionFaults,
  laterFaults,
  noQuestionFault,
  type QuestionFault,
  questionFaults,
} from "./money-kills-deck.ts";

/**
 * `http-client` sends the same bytes again after a broken connection and certain statuses, and knows no more.
 * `by-the-docs` follows the table of docs/money.md.
 */
export type CallerKind = "http-client" | "by-the-docs";

/** What the kill waits for. All but `time` are of the call that is begun last. */
export type KillMoment = "time" | "line" | "read" | "acted" | "asked" | "told";

/** One transaction: how it is confirmed, and what stands in the way. The machine's own timing is not in it. */
export interface RunPlan {
  readonly number: number;
  readonly caller: CallerKind;
  /** Of its first confirm, and of its second. */
  readonly fault: ConfirmFault;
  readonly laterFault: ConfirmFault | undefined;
  readonly question: QuestionFault;
  /** Its first confirm begins so long before the last one of its round, milliseconds. */
  readonly leadMs: number;
  /** The second half of its body comes so much later. */
  readonly bodyAfterMs: number;
  /** The same is sent a second time, by a finger that pressed twice, so long after the first. */
  readonly twinAfterMs: number | undefined;
  /** The caller goes away so long after it has sent. */
  readonly leavesAfterMs: number | undefined;
  /** Counted from the kill. */
  readonly executedAfterMs: number | undefined;
  /** Number of the transaction whose request id its first confirm has: its own, or that of one before it. */
  readonly idOf: number;
}

/** One life of a sidecar, and the transactions that are under way when it is killed. */
export interface RoundPlan {
  readonly number: number;
  /** The sidecar that is killed keeps a record: the same file in all lives. */
  readonly record: boolean;
  /** What was not on the disk is lost with it, as when the machine loses its power. */
  readonly powerCut: boolean;
  /** From 0 to 1: of what was written and not on the disk, so much is there all the same; and of a line that was torn. */
  readonly kept: number;
  /** The kill comes in the middle of the write of a line. */
  readonly tears: boolean;
  /** A second sidecar, with a guard and a record of its own, gets some of the calls. */
  readonly replicas: boolean;
  readonly connection: ConnectionFault | undefined;
  /** Presto's token is replaced so long before the last confirm begins. */
  readonly tokenMs: number | undefined;
  readonly moment: KillMoment;
  /** From that moment to the kill. */
  readonly afterMs: number;
  readonly runs: readonly RunPlan[];
}

export const runsPerRound = 14;

const leads: readonly (readonly [weight: number, span: Span])[] = [
  [3, [0, 2]],
  [3, [0, 8]],
  [3, [0, 40]],
  [2, [30, 300]],
  [2, [200, 1_200]],
];

const moments: readonly KillMoment[] = [
  "time",
  "time",
  "time",
  "line",
  "line",
  "read",
  "acted",
  "asked",
  "told",
];

/** The same rounds for the same seed, dealt to the lanes in turn. */
export function planRounds(options: {
  readonly seed: number;
  readonly rounds: number;
  readonly lanes: number;
}): readonly (readonly RoundPlan[])[] {
  const random = createRandom(options.seed);
  const faults = deal(confirmFaults, options.rounds * runsPerRound, random);
  const killMoments = deal(moments, options.rounds, random);
  const lanes = Array.from({ length: options.lanes }, () => new Array<RoundPlan>());
  for (let index = 0; index < options.rounds; index += 1) {
    const lane = lanes[index % lanes.length];
    if (lane === undefined) throw new Error("there are no lanes");
    // The first life of a lane, and the one after a life without a record, keep one.
    const mayForget = lane.length > 0 && lane.at(-1)?.record === true;
    lane.push({
      ...drawRound(random, mayForget),
      number: index + 1,
      moment: killMoments[index] ?? "time",
      runs: drawRuns(
        random,
        faults.slice(index * runsPerRound, (index + 1) * runsPerRound),
        index * runsPerRound + 1,
      ),
    });
  }
  return lanes;
}

function drawRound(random: Random, mayForget: boolean): Omit<RoundPlan, "number" | "moment" | "runs"> {
  const record = !(mayForget && random.chance(0.2));
  const powerCut = record && random.chance(0.5);
  const kept = random.chance(0.5) ? 0 : random.next();
  return {
    record,
    powerCut,
    kept,
    // What a power cut leaves ends as often in the middle of a line.
    tears: record && !powerCut && kept > 0,
    replicas: random.chance(0.25),
    connection: random.chance(0.15) ? random.pick(connectionFaults) : undefined,
    tokenMs: random.chance(0.35) ? drawIn(random, [0, 8]) : undefined,
    afterMs: random.chance(0.5) ? drawIn(random, [0, 2]) : drawIn(random, [0, 12]),
  };
}

function drawRuns(random: Random, faults: readonly ConfirmFault[], first: number): readonly RunPlan[] {
  const runs: RunPlan[] = [];
  for (const [place, fault] of faults.entries()) {
    const run = drawRun(random, fault, first + place);
    const before = runs.at(-1);
    // The last one is what the kill goes by.
    const isLast = place === faults.length - 1;
    if (isLast) runs.push({ ...run, leadMs: 0, bodyAfterMs: 0, leavesAfterMs: undefined });
    else if (before === undefined || !random.chance(0.15)) runs.push(run);
    // What goes by the id strikes both.
    else
      runs.push({ ...run, fault: before.fault, executedAfterMs: before.executedAfterMs, idOf: before.idOf });
  }
  return runs;
}

function drawRun(random: Random, fault: ConfirmFault, number: number): RunPlan {
  const caller = random.chance(0.5) ? "http-client" : "by-the-docs";
  return {
    number,
    caller,
    fault,
    idOf: number,
    laterFault: random.chance(0.25) ? random.pick(laterFaults) : undefined,
    question: random.chance(0.45) ? random.pick(questionFaults) : usualQuestion(fault, number),
    leadMs: drawLead(random),
    bodyAfterMs: random.chance(0.1) ? drawIn(random, [0, 30]) : 0,
    twinAfterMs: caller === "http-client" && random.chance(0.25) ? drawIn(random, [0, 60]) : undefined,
    leavesAfterMs: caller === "by-the-docs" && random.chance(0.15) ? drawIn(random, [0, 200]) : undefined,
    executedAfterMs: fault.executedAfterMs === undefined ? undefined : drawIn(random, fault.executedAfterMs),
  };
}

/** Where nothing moves, every second one is told of another's money: a lie that nothing makes true later. */
function usualQuestion({ nothingMoves }: ConfirmFault, number: number): QuestionFault {
  return nothingMoves === true && number % 2 === 0 ? aboutAnother : noQuestionFault;
}

function drawLead(random: Random): number {
  let left = random.between(
    0,
    leads.reduce((all, [weight]) => all + weight, 0),
  );
  for (const [weight, span] of leads) {
    left -= weight;
    if (left < 0) return drawIn(random, span);
  }
  return 0;
}
