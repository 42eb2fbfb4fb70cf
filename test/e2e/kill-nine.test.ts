import { expect, it } from "vitest";

import { planRounds } from "./kill-nine-plan.ts";
import { problemsOf, reportOf } from "./kill-nine-report.ts";
import { killNine } from "./kill-nine-run.ts";

const seed = 9;
const rounds = 40;

it("draws the same moments from the same seed, and others from another", () => {
  const options = { seed, rounds, lanes: 2 };
  expect(planRounds(options)).toEqual(planRounds(options));
  expect(planRounds({ ...options, seed: seed + 1 })).not.toEqual(planRounds(options));
});

it(
  "killed at any moment of a renewal, under load, it comes back with a live token and no human, and no caller was told a lie",
  { timeout: 300_000 },
  async () => {
    const lanes = await killNine({ seed, rounds, lanes: 2 });
    process.stdout.write(reportOf(lanes, seed));
    expect(problemsOf(lanes)).toEqual([]);
    const played = lanes.flatMap((lane) => lane.rounds);
    expect(played).toHaveLength(rounds);
    // What is held back is hit for certain: a run that misses it proves nothing of it.
    const states = new Set(played.flatMap((round) => round.states));
    for (const state of [
      "probing",
      "intending",
      "checking",
      "issuing",
      "settling",
      "storing",
      "reconciling",
      "clearing",
    ])
      expect(states).toContain(state);
    // Most of a round a call is held, or nobody listens; but callers there were.
    for (const { moved, counts } of lanes) {
      expect(moved).toBeGreaterThan(40);
      expect(counts.unknown).toBeGreaterThan(10);
    }
    expect(lanes.map(({ movedTwice }) => movedTwice)).toEqual([0, 0]);
  },
);
