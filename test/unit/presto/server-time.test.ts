import { describe, expect, it } from "vitest";

import { createServerTime } from "../../../src/presto/server-time.ts";
import type { OwnResponse } from "../../../src/upstream/request-once.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const hourMs = 3_600_000;

function answerAt(at: number): OwnResponse {
  const headers = ["date", new Date(at).toUTCString()];
  return { status: 200, headers, body: Buffer.alloc(0) };
}

describe("Presto's time, by the Date of its answers", () => {
  it("is our own while none has come", () => {
    const clock = createHandClock();
    const time = createServerTime(clock);
    expect([time.now(), time.aheadMs()]).toEqual([clock.now(), undefined]);
  });

  it("is as far ahead, or behind, as an answer says", () => {
    for (const aheadMs of [hourMs, -hourMs]) {
      const clock = createHandClock();
      const time = createServerTime(clock);
      time.heard(answerAt(clock.now() + aheadMs), clock.monotonic());
      // It tells whole seconds.
      expect(Math.abs(time.now() - clock.now() - aheadMs)).toBeLessThanOrEqual(1_000);
      expect(Math.abs((time.aheadMs() ?? 0) - aheadMs)).toBeLessThanOrEqual(1_000);
    }
  });

  it("stays what it is when this machine's clock is set", async () => {
    const clock = createHandClock();
    const time = createServerTime(clock);
    const before = clock.now();
    time.heard(answerAt(before), clock.monotonic());
    clock.setWall(-30 * hourMs);
    await clock.advance(10_000);
    expect(time.now()).toBe(before + 10_000);
    expect(time.aheadMs()).toBe(30 * hourMs);
  });

  it("goes on while the machine sleeps", () => {
    const clock = createHandClock();
    const time = createServerTime(clock);
    const before = clock.now();
    time.heard(answerAt(before), clock.monotonic());
    clock.suspend(hourMs);
    expect(time.now()).toBe(before + hourMs);
    expect(time.aheadMs()).toBe(0);
  });
});
