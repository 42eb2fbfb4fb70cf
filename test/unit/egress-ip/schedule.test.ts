import { describe, expect, it } from "vitest";

import { createCheckSchedule, type RoundEnd } from "../../../src/egress-ip/schedule.ts";
import { createHandClock } from "../../support/hand-clock.ts";

function scheduled({ random = (): number => 0.5, ms = 0 } = {}) {
  const clock = createHandClock();
  const rounds: number[] = [];
  const world: { end: RoundEnd } = { end: "open" };
  const schedule = createCheckSchedule({
    async round() {
      rounds.push(clock.monotonic());
      if (ms > 0) await clock.sleep(ms);
      return world.end;
    },
    clock,
    random,
  });
  return { clock, rounds, world, schedule };
}

describe("the check URLs are asked", () => {
  it("at the start, and every five minutes after it", async () => {
    const { clock, rounds, schedule } = scheduled();
    await schedule.now();
    await clock.advance(900_000);
    expect(rounds).toEqual([0, 300_000, 600_000, 900_000]);
  });

  it.each([
    [0, 270_000],
    [0.999_999, 330_000],
  ])("with a tenth of jitter to either side (%d)", async (chance, at) => {
    const { clock, rounds, schedule } = scheduled({ random: () => chance });
    await schedule.now();
    await clock.advance(340_000);
    expect(rounds[1]).toBeCloseTo(at, -2);
  });

  it("soon again while calls are kept back, then every 15 s; every 30 s while nobody answers", async () => {
    const { clock, rounds, world, schedule } = scheduled();
    world.end = "closed";
    await schedule.now();
    await clock.advance(45_000);
    world.end = "silent";
    await clock.advance(75_000);
    expect(rounds.map((at) => at / 1_000)).toEqual([0, 1, 3, 7, 15, 30, 45, 60, 90, 120]);
  });

  it("at once when calls begin to fail", async () => {
    const { clock, rounds, schedule } = scheduled();
    await schedule.now();
    await clock.advance(100_000);
    schedule.soon();
    await clock.advance(0);
    expect(rounds).toEqual([0, 100_000]);
  });

  it("less and less often while failing calls find nothing, at least every half minute", async () => {
    const { clock, rounds, schedule } = scheduled();
    await schedule.now();
    for (let ms = 0; ms < 240_000; ms += 500) {
      schedule.soon();
      await clock.advance(500);
    }
    expect(rounds.map((at) => at / 1_000)).toEqual([0, 0, 2, 6, 14, 30, 60, 90, 120, 150, 180, 210, 240]);
  });

  it("at once again, when calls fail anew after a quiet time", async () => {
    const { clock, rounds, schedule } = scheduled();
    await schedule.now();
    for (let ms = 0; ms < 60_000; ms += 500) {
      schedule.soon();
      await clock.advance(500);
    }
    await clock.advance(600_000);
    const before = rounds.length;
    const at = clock.monotonic();
    schedule.soon();
    await clock.advance(2_000);
    expect(rounds.slice(before)[0]).toBeLessThanOrEqual(at + 2_000);
  });

  it("once more after a round in which calls began to fail: its answers may be older", async () => {
    const { clock, rounds, schedule } = scheduled({ ms: 3_000 });
    const first = schedule.now();
    await clock.advance(1_000);
    schedule.soon();
    await clock.advance(2_000);
    await first;
    expect(rounds).toEqual([0, 3_000]);
  });

  it("by one round at a time", async () => {
    const { clock, rounds, schedule } = scheduled({ ms: 3_000 });
    const both = [schedule.now(), schedule.now()];
    await clock.advance(3_000);
    await Promise.all(both);
    expect(rounds).toEqual([0]);
  });

  it("no more after the end", async () => {
    const { clock, rounds, schedule } = scheduled();
    await schedule.now();
    schedule.stop();
    schedule.soon();
    await schedule.now();
    await clock.advance(900_000);
    expect(rounds).toEqual([0]);
  });
});
