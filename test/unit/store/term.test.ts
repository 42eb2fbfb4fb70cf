import { describe, expect, it } from "vitest";

import { beginTerm, leaseMs } from "../../../src/store/term.ts";
import { createHandClock } from "../../support/hand-clock.ts";

describe("the term of a lock", () => {
  it("is counted from the sending of the write that took it, whenever its answer comes", async () => {
    const clock = createHandClock();
    const term = beginTerm(clock, leaseMs);
    await clock.advance(4_000);
    expect([term.sentAt(), term.heldUntil()]).toEqual([0, leaseMs]);
  });

  it("is renewed from the sending of the write that renewed it, and never backwards", async () => {
    const clock = createHandClock();
    const term = beginTerm(clock, leaseMs);
    await clock.advance(20_000);
    expect(term.renewed(15_000)).toBe(true);
    expect(term.heldUntil()).toBe(15_000 + leaseMs);
    expect(term.renewed(10_000)).toBe(true);
    expect(term.heldUntil()).toBe(15_000 + leaseMs);
  });

  it("is lost where the answer to a renewal comes after its end, and stays so", async () => {
    const clock = createHandClock();
    const term = beginTerm(clock, leaseMs);
    await clock.advance(leaseMs);
    expect(term.renewed(leaseMs - 1)).toBe(false);
    expect(term.renewed(clock.monotonic())).toBe(false);
    expect(term.heldUntil()).toBeLessThan(clock.monotonic());
  });

  it.each([
    ["slept", (clock: ReturnType<typeof createHandClock>) => clock.suspend(1_001)],
    ["had its wall clock set forward", (clock: ReturnType<typeof createHandClock>) => clock.setWall(1_001)],
    ["had its wall clock set back", (clock: ReturnType<typeof createHandClock>) => clock.setWall(-1_001)],
  ])("is lost on a machine that %s", async (_what, happens) => {
    const clock = createHandClock();
    const term = beginTerm(clock, leaseMs);
    await clock.advance(10_000);
    happens(clock);
    expect(term.heldUntil()).toBeLessThan(clock.monotonic());
    expect(term.renewed(clock.monotonic())).toBe(false);
  });

  it("is seen to be lost by the time since boot alone, and by the wall clock alone", async () => {
    for (const differs of ["now", "sinceBoot"] as const) {
      const hand = createHandClock();
      let aheadMs = 0;
      const term = beginTerm({ ...hand, [differs]: () => hand[differs]() + aheadMs }, leaseMs);
      aheadMs = 1_500;
      expect(term.heldUntil()).toBeLessThan(hand.monotonic());
    }
  });

  it("bears clocks that drift by less than a second", async () => {
    const clock = createHandClock();
    const term = beginTerm(clock, leaseMs);
    clock.setWall(900);
    await clock.advance(10_000);
    clock.setWall(-1_800);
    expect(term.heldUntil()).toBe(leaseMs);
  });
});
