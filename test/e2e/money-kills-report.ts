import { count, figures, row, sum } from "../support/figures.ts";
import type { LaneStory } from "./money-kills-lane.ts";
import type { RoundStory } from "./money-kills-round.ts";
import { steps } from "./money-kills-step.ts";

/** The figures of all lanes, as text. */
export function reportOf(lanes: readonly LaneStory[], seed: number): string {
  const rounds = lanes.flatMap((lane) => lane.rounds);
  const callers = lanes.flatMap((lane) => lane.callers);
  const at = rounds.flatMap((round) => round.steps);
  const faults = callers.map(({ plan }) => plan.fault.name);
  const told = callers.flatMap(({ attempts }) => attempts.map((attempt) => attempt.told?.kind ?? "nothing"));
  const having = (holds: (round: RoundStory) => boolean): number => rounds.filter(holds).length;
  return [
    `${at.length} transactions of seed ${seed}, ${rounds.length} kills`,
    row(
      "with the machine's power",
      having(({ plan }) => plan.powerCut),
    ),
    row(
      "and bytes of the record lost",
      having(({ lost }) => lost > 0),
    ),
    row(
      "with a line of the record torn",
      having(({ torn }) => torn),
    ),
    row(
      "of a sidecar without a record",
      having(({ plan }) => !plan.record),
    ),
    row(
      "with a second sidecar beside it",
      having(({ plan }) => plan.replicas),
    ),
    row(
      "with connections struck",
      having(({ plan }) => plan.connection !== undefined),
    ),
    row(
      "with the token replaced",
      having(({ plan }) => plan.tokenMs !== undefined),
    ),
    "",
    "how far its confirm was at the kill",
    ...steps.map((step) => row(step, count(at, step))),
    "",
    "what Presto did with its first confirm",
    ...[...new Set(faults)].toSorted().map((fault) => row(fault, count(faults, fault))),
    "",
    "what callers were told",
    ...[...new Set(told)].toSorted().map((kind) => row(kind, count(told, kind))),
    "",
    "from giving up to a known end, ms            ends    p50    p99    max",
    figures(
      "completed",
      lanes.flatMap((lane) => lane.settledMs.completed),
    ),
    figures(
      "failed",
      lanes.flatMap((lane) => lane.settledMs.failed),
    ),
    "from the kill to a sidecar that listens, ms",
    figures(
      "kills",
      rounds.map(({ awayMs }) => awayMs),
    ),
    "",
    row("transactions whose money moved", sum(lanes.map(({ moved }) => moved))),
    row("still open, as Presto never said", sum(lanes.map(({ stillOpen }) => stillOpen))),
    row("moved twice, where docs say it may", sum(lanes.map(({ movedTwice }) => movedTwice))),
    "",
  ].join("\n");
}

/** Everything that was not as promised. */
export function problemsOf(lanes: readonly LaneStory[]): readonly string[] {
  const rounds = lanes.flatMap((lane) => lane.rounds);
  return [
    ...rounds.flatMap((round) => round.problems.map((problem) => `${titleOf(round)}: ${problem}`)),
    ...lanes.flatMap((lane) => lane.problems),
  ];
}

/** One line about one round. */
export function lineOf(round: RoundStory): string {
  const at = steps.flatMap((step) => {
    const hit = count(round.steps, step);
    return hit === 0 ? [] : [`${hit} ${step}`];
  });
  const lost = `${round.lost > 0 ? `; ${round.lost} bytes lost` : ""}${round.torn ? "; a line torn" : ""}`;
  return `${titleOf(round)}: ${at.join(", ")}${lost}; ${Math.round(round.awayMs)} ms away${round.problems.map((problem) => `; ${problem}`).join("")}`;
}

function titleOf({ plan }: RoundStory): string {
  const { number, moment, afterMs, record, powerCut } = plan;
  const how = powerCut ? "power" : record ? "kill" : "kill, no record";
  return `round ${number} (${how}, ${moment} +${afterMs} ms)`;
}
