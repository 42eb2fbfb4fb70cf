import { describe, expect, it } from "vitest";

import { createTokenHealth, type TokenHealth } from "../../../src/token/health.ts";

function open(): { evidence: TokenHealth; at(ms: number): TokenHealth } {
  let now = 0;
  const evidence = createTokenHealth({ monotonic: () => now });
  return {
    evidence,
    at(ms) {
      now = ms;
      return evidence;
    },
  };
}

describe("the evidence of a process's own calls", () => {
  it("says nothing of a token that was never spoken of", () => {
    const { evidence } = open();
    expect([evidence.acceptedSince("a", 0), evidence.refusedTwice("a")]).toEqual([false, false]);
  });

  it("knows since when a token was accepted, each on its own", () => {
    const { at } = open();
    at(100).accepted("a");
    const evidence = at(200);
    expect([50, 100, 101].map((since) => evidence.acceptedSince("a", since))).toEqual([true, true, false]);
    expect(evidence.acceptedSince("b", 0)).toBe(false);
  });

  it("counts an acceptance from when its call was sent, and never goes back", () => {
    const { at } = open();
    at(100).accepted("a", 40);
    expect([40, 41].map((since) => at(100).acceptedSince("a", since))).toEqual([true, false]);
    at(110).accepted("a", 90);
    at(120).accepted("a", 60);
    expect([90, 91].map((since) => at(120).acceptedSince("a", since))).toEqual([true, false]);
  });

  it("takes two 401s for two only 5 s apart", () => {
    const { at } = open();
    for (const ms of [1_000, 1_001, 3_000, 5_999]) at(ms).refused("a");
    expect(at(6_000).refusedTwice("a")).toBe(false);
    at(6_000).refused("a");
    expect(at(6_000).refusedTwice("a")).toBe(true);
    expect(at(6_000).refusedTwice("b")).toBe(false);
  });

  it("begins anew after an acceptance, before and after the second", () => {
    const { at } = open();
    at(0).refused("a");
    at(4_000).accepted("a");
    at(5_000).refused("a");
    expect(at(9_999).refusedTwice("a")).toBe(false);
    at(10_000).refused("a");
    expect(at(10_000).refusedTwice("a")).toBe(true);
    at(10_001).accepted("a");
    expect(at(10_001).refusedTwice("a")).toBe(false);
    at(15_000).refused("a");
    expect(at(15_000).refusedTwice("a")).toBe(false);
  });

  it("does not count the 401s to a token that was made less than 30 s ago", () => {
    const { at } = open();
    at(0).issued("a");
    for (const ms of [1_000, 10_000, 29_999]) at(ms).refused("a");
    at(30_000).refused("a");
    expect(at(34_999).refusedTwice("a")).toBe(false);
    at(35_000).refused("a");
    expect(at(35_000).refusedTwice("a")).toBe(true);
  });

  it("keeps no more than the tokens that were spoken of last", () => {
    const { at } = open();
    at(1).accepted("first");
    for (let index = 0; index < 16; index++) at(2).refused(`${index}`);
    expect(at(2).acceptedSince("first", 0)).toBe(false);
    at(7_000).refused("15");
    expect(at(7_000).refusedTwice("15")).toBe(true);
  });
});
