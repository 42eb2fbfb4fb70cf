import { renewalStates } from "../../src/renewal/types.ts";
import { type CallEnd, callEnds, type NotedCall } from "../support/caller-log.ts";
import { count, figures, row, sum } from "../support/figures.ts";
import type { LaneStory } from "./kill-nine-lane.ts";
import { remainKinds } from "./kill-nine-remains.ts";
import type { RoundStory } from "./kill-nine-story.ts";

/** The figures of all lanes, as text. */
export function reportOf(lanes: readonly LaneStory[], seed: number): string {
  const rounds = lanes.flatMap((lane) => lane.rounds);
  const states = rounds.flatMap((round) => round.states);
  const remains = rounds.flatMap((round) => round.remains);
  const calls = (end: CallEnd): number => sum(lanes.map(({ counts }) => counts[end]));
  return [
    `${rounds.length} rounds of seed ${seed}, ${states.length} kills`,
    "",
    "killed in the state",
    ...renewalStates.map((state) => row(state, count(states, state))),
    "",
    "what the kill left",
    ...remainKinds.map((kind) => row(kind, count(remains, kind))),
    "",
    "from the kill to a served call, ms          rounds   p50    p99    max",
    figures(
      "at once",
      rounds.filter((round) => !round.waits).map((round) => round.servedMs),
    ),
    figures(
      "after SETTLE",
      rounds.filter((round) => round.waits).map((round) => round.servedMs),
    ),
    "from the kill to a settled record, ms",
    figures(
      "at once",
      rounds.filter((round) => !round.waits).map((round) => round.settledMs),
    ),
    figures(
      "after SETTLE",
      rounds.filter((round) => round.waits).map((round) => round.settledMs),
    ),
    "",
    "calls (answered: Presto's own 401, after a death that no intent explains)",
    ...callEnds.map((end) => row(end, calls(end))),
    row("not-sent because nobody listened", sum(lanes.map(({ failed }) => failed.filter(isUnheard).length))),
    "",
    row("issue calls", sum(rounds.map((round) => round.issueCalls))),
    row("transactions whose money moved", sum(lanes.map((lane) => lane.moved))),
    row("money moved twice", sum(lanes.map((lane) => lane.movedTwice))),
    "",
  ].join("\n");
}

/** Everything that was not as promised. */
export function problemsOf(lanes: readonly LaneStory[]): readonly string[] {
  return lanes.flatMap((lane) => [
    ...lane.rounds.flatMap((round) => round.problems.map((problem) => `${titleOf(round)}: ${problem}`)),
    ...lane.problems,
  ]);
}

/** One line about one round. */
export function lineOf(round: RoundStory): string {
  const how = round.waits ? "after SETTLE" : "at once";
  return `${titleOf(round)}: killed in ${round.states.join(", then ")}; left ${round.remains.join("; then ")}; served ${how}, ${Math.round(round.servedMs)} ms; settled ${Math.round(round.settledMs)} ms; ${round.issueCalls} issue calls`;
}

function isUnheard({ end, status }: NotedCall): boolean {
  return end === "not-sent" && status === 0;
}

function titleOf({ plan }: RoundStory): string {
  return `round ${plan.number} (${plan.moment.name} +${plan.afterMs} ms)`;
}
