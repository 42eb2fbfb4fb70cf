import { describe, expect, it } from "vitest";

import { recentDeaths, reachedLimit } from "../../../src/renewal/probing.ts";

const now = Date.UTC(2026, 10, 24, 12);
const minute = 60_000;
const hour = 60 * minute;

/** Deaths so many milliseconds ago. */
function ago(...ms: readonly number[]): readonly Date[] {
  return ms.map((each) => new Date(now - each));
}

describe("deaths that nobody of ours explains", () => {
  it.each([
    { name: "none", deaths: ago(), alarm: false },
    { name: "three within ten minutes: three faults could explain them", deaths: ago(0, 1, 2), alarm: false },
    { name: "four within ten minutes", deaths: ago(0, 3 * minute, 6 * minute, 9 * minute), alarm: true },
    {
      name: "four, of which the first is ten minutes old",
      deaths: ago(0, 1, 2, 10 * minute),
      alarm: false,
    },
    {
      name: "four, of which the first is a moment less than ten minutes old",
      deaths: ago(0, 1, 2, 10 * minute - 1),
      alarm: true,
    },
    {
      name: "seven, spread over a day",
      deaths: ago(0, 3 * hour, 6 * hour, 9 * hour, 12 * hour, 15 * hour, 18 * hour),
      alarm: false,
    },
    {
      name: "eight, spread over a day",
      deaths: ago(0, 3 * hour, 6 * hour, 9 * hour, 12 * hour, 15 * hour, 18 * hour, 21 * hour),
      alarm: true,
    },
    {
      name: "eight, the first of them a day old",
      deaths: ago(0, 3 * hour, 6 * hour, 9 * hour, 12 * hour, 15 * hour, 18 * hour, 24 * hour),
      alarm: false,
    },
    {
      name: "four a moment ahead, since the clock was set back",
      deaths: ago(-minute, -minute, -minute, 0),
      alarm: true,
    },
  ])("raise the alarm or not: $name", ({ deaths, alarm }) => {
    expect(reachedLimit(deaths, now) !== undefined).toBe(alarm);
  });

  it("are told of in the words of the rule that raised the alarm", () => {
    const inAnHour = ago(0, 1, 2, 3, 20 * minute, 30 * minute);
    expect(reachedLimit(inAnHour, now)).toEqual({ count: 4, words: "10 minutes" });
    expect(reachedLimit(ago(0, 1, 2, ...[3, 6, 9, 12, 15].map((each) => each * hour)), now)).toEqual({
      count: 8,
      words: "24 hours",
    });
  });

  it("are forgotten a day later, and not before", () => {
    const [young, old, future] = ago(24 * hour - 1, 24 * hour, -25 * hour);
    expect(recentDeaths(ago(24 * hour - 1, 24 * hour, -25 * hour), now)).toEqual([young]);
    expect([old, future]).not.toContainEqual(young);
  });
});
