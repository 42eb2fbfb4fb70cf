import { describe, expect, it } from "vitest";

import { countLetIn, createRecentOutcomes } from "../../../src/egress-ip/outcomes.ts";
import { kindsOf } from "../../support/outcome-letters.ts";

function filled(stream: string, atMs: (index: number) => number) {
  const recent = createRecentOutcomes();
  for (const [index, kind] of kindsOf(stream).entries()) recent.add(kind, atMs(index));
  return recent;
}

describe("recent outcomes", () => {
  it("are counted by kind", () => {
    const recent = filled("aapf", (index) => index);
    expect(recent.tally(4)).toMatchObject({ accepted: 2, "app-refused": 1, forbidden: 1, reset: 0 });
    expect(countLetIn(recent.tally(4))).toBe(3);
  });

  it("are those of the last five minutes", () => {
    const recent = filled("ffa", (index) => index * 60_000);
    expect(recent.tally(301_000)).toMatchObject({ forbidden: 1, accepted: 1 });
    expect(recent.ageMs(301_000)).toBe(181_000);
    expect(recent.tally(421_000)).toMatchObject({ forbidden: 0, accepted: 0 });
    expect(recent.ageMs(421_000)).toBeUndefined();
  });

  it("leave out what a token was refused before it was accepted", () => {
    const recent = filled("ttDat", (index) => index);
    expect(recent.tally(5)).toMatchObject({ "token-refused": 1, "token-dead": 0, accepted: 1 });
  });

  it("can be counted since the last acceptance", () => {
    const recent = filled("tafte", (index) => index);
    expect(recent.tallySinceAccepted(5)).toMatchObject({ forbidden: 1, "token-refused": 1, failing: 1 });
    expect(recent.tallySinceAccepted(5).accepted).toBe(0);
  });

  it("can be forgotten", () => {
    const recent = filled("fff", (index) => index);
    recent.forget();
    expect(recent.tally(3).forbidden).toBe(0);
    recent.add("accepted", 4);
    expect(recent.tally(4)).toMatchObject({ accepted: 1, forbidden: 0 });
  });
});
