import { describe, expect, it } from "vitest";

import { createRandom } from "./random.ts";
import { runSeed } from "./run-seed.ts";
import { createSimProcess } from "./sim-process.ts";
import type { SimProcess } from "./sim-process.ts";
import { createStory } from "./story.ts";
import { createTimeline } from "./timeline.ts";
import type { Timeline } from "./timeline.ts";

function aProcess(timeline: Timeline): SimProcess {
  const random = createRandom(1);
  const story = createStory(timeline, false);
  return createSimProcess({ role: "all-1", life: 1, timeline, random, story, epoch: 0, wallOffset: 0 });
}

describe("the world of a seed that broke a property once", () => {
  // A world stays what it is for as long as nothing else is drawn in it: new draws go to streams of their own, or last.
  it.each([6_594, 12_722, 14_336, 14_854, 15_646, 18_659])("keeps them all: %i", async (seed) => {
    expect((await runSeed(seed, false)).failure).toBeUndefined();
  });
});

describe("a simulated world", () => {
  it("tells the same story for the same seed", async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const first = await runSeed(seed, true);
      const second = await runSeed(seed, true);
      expect(second.story.length).toBeGreaterThan(2);
      expect(second).toEqual(first);
    }
  });

  it("tells another story for another seed", async () => {
    const [one, other] = [await runSeed(3, true), await runSeed(4, true)];
    expect(one.story).not.toEqual(other.story);
  });

  it("lets all promises settle before the next thing happens", async () => {
    const timeline = createTimeline();
    const order: string[] = [];
    timeline.after(1, () => {
      void (async () => {
        for (let round = 0; round < 100; round += 1) await Promise.resolve();
        order.push("settled");
      })();
    });
    timeline.after(1, () => order.push("next"));
    await timeline.run(() => false);
    expect(order).toEqual(["settled", "next"]);
  });

  it("brings nothing to a dead process", async () => {
    const timeline = createTimeline();
    const process = aProcess(timeline);
    let came = 0;
    process.clock.after(10, () => (came += 1));
    process.deliver(10, () => (came += 1));
    timeline.after(5, () => process.kill("so"));
    await timeline.run(() => false);
    expect(came).toBe(0);
  });

  it("brings everything to a paused process when it goes on", async () => {
    const timeline = createTimeline();
    const process = aProcess(timeline);
    const came: number[] = [];
    process.clock.after(10, () => came.push(timeline.now()));
    const cancelled = process.clock.after(11, () => came.push(-1));
    timeline.after(5, () => process.pause(100, false));
    timeline.after(50, () => cancelled.cancel());
    await timeline.run(() => false);
    expect(came).toEqual([105]);
  });

  it("lets the monotonic clock of a suspended process stand still", async () => {
    const timeline = createTimeline();
    const process = aProcess(timeline);
    const begun = process.clock.monotonic();
    const came: number[] = [];
    process.clock.after(10, () => came.push(timeline.now()));
    timeline.after(5, () => process.pause(100, true));
    await timeline.run(() => false);
    expect(came).toHaveLength(1);
    // No sooner than after 10 ms of its own time; late by as much as a busy loop may be.
    expect(came[0]).toBeGreaterThanOrEqual(110);
    expect(came[0]).toBeLessThan(141);
    expect(timeline.now() - (process.clock.monotonic() - begun)).toBeCloseTo(100, 6);
    expect(process.clock.now()).toBeCloseTo(timeline.now(), 6);
  });
});
