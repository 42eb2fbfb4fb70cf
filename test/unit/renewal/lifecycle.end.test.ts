import { describe, expect, it } from "vitest";

import { settled } from "../../support/hand-clock.ts";
import { createLifecycleBench, nothing, startedLifecycle } from "../../support/lifecycle-bench.ts";
import { follow } from "../../support/renewal-bench.ts";
import { idOf } from "../../support/renewal-cases.ts";

describe("a lifecycle that is asked to end", () => {
  it("begins nothing new, whatever comes", async () => {
    const bench = await startedLifecycle();
    await bench.lifecycle.drain();
    bench.knobs.due = true;
    bench.lifecycle.tokenRejected(idOf("token-1"));
    bench.lifecycle.recordChanged();
    bench.lifecycle.credentialsChanged();
    bench.lifecycle.look();
    await bench.clock.advance(60 * 60_000);
    expect(bench.runs).toHaveLength(1);
    expect(bench.trail.filter((step) => step.startsWith("probe"))).toHaveLength(1);
  });

  it("waits for the run under way, which hears of it, and stays open until it is closed", async () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    const drained = follow(bench.lifecycle.drain().then(() => "drained"));
    await settled();
    expect(bench.last().draining.aborted).toBe(true);
    expect(bench.last().closing.aborted).toBe(false);
    expect(drained.now).toBeUndefined();
    await bench.last().end({ kind: "shut-down" });
    expect(drained.now).toBe("drained");
    expect(bench.runs).toHaveLength(1);
  });

  it("answers every wish that waits, and each that still comes", async () => {
    const bench = await startedLifecycle();
    const waiting = follow(bench.lifecycle.renew({ force: false, waitMs: 600_000 }));
    const drained = bench.lifecycle.drain();
    await bench.last().end({ kind: "shut-down" });
    await drained;
    expect(waiting.now).toMatchObject({ kind: "under-way" });
    expect(await bench.lifecycle.renew({ force: false, waitMs: 600_000 })).toMatchObject({
      kind: "unreachable",
    });
  });

  it("answers a wish that came before it had begun", async () => {
    const bench = createLifecycleBench();
    const waiting = follow(bench.lifecycle.renew({ force: false, waitMs: 600_000 }));
    await bench.lifecycle.drain();
    await settled();
    expect(waiting.now).toMatchObject({ kind: "under-way" });
    expect(bench.runs).toHaveLength(0);
  });

  it("cuts the run off when it is closed", async () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    bench.lifecycle.close();
    expect(bench.last().closing.aborted).toBe(true);
    await bench.last().end({ kind: "shut-down" });
    await bench.clock.advance(60 * 60_000);
    expect(bench.runs).toHaveLength(1);
  });

  it("takes the failure of a run that was cut off for what it is", async () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    const drained = bench.lifecycle.drain();
    await bench.last().fail(new Error("the wait for the lock was called off"));
    await drained;
    expect(bench.lifecycle.report().lastEnd).toMatchObject({ kind: "shut-down" });
  });
});

describe("the report", () => {
  it("says what the renewal does, and when the token is due", async () => {
    const bench = await startedLifecycle();
    bench.dueAt = bench.clock.now() + 5_000;
    bench.state = "settling";
    expect(bench.lifecycle.report()).toEqual({
      state: "settling",
      automatic: true,
      dueAt: new Date(bench.clock.now() + 5_000),
      nextTryAt: null,
      lastEnd: { kind: "nothing-to-do", detail: "not due", at: new Date(bench.clock.now() - 1_000) },
      stopped: null,
      unexplainedDeaths: 0,
      credentialsRefused: null,
      clockWrong: null,
      lock: { name: "scripted lock", holder: null, ours: false },
      elsewhere: null,
    });
  });

  it("names no due time where only a person issues", async () => {
    const bench = await startedLifecycle({ automatic: false });
    bench.dueAt = bench.clock.now();
    expect(bench.lifecycle.report()).toMatchObject({ automatic: false, dueAt: null });
  });

  it("does not say stopped once somebody else has cleared the alarm", async () => {
    const stopped = { reason: "two owners", at: new Date(0) };
    const bench = createLifecycleBench({ stored: { stopped } });
    bench.lifecycle.start();
    bench.state = "stopped";
    await bench.last().end({ kind: "stopped", detail: "two owners" });
    expect(bench.lifecycle.report()).toMatchObject({ state: "stopped", stopped });
    bench.store.put({ stopped: null });
    expect(bench.lifecycle.report()).toMatchObject({ state: "idle", stopped: null });
  });

  it("counts the deaths of the last 24 h only", async () => {
    const bench = await startedLifecycle();
    const now = bench.clock.now();
    const ago = (hours: number) => new Date(now - hours * 60 * 60_000);
    bench.store.put({ unexplainedDeaths: [ago(25), ago(24), ago(23), ago(1)] });
    expect(bench.lifecycle.report().unexplainedDeaths).toBe(2);
  });

  it("is told with each end", async () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    await bench.last().end(nothing);
    expect(bench.told).toContain("run nothing-to-do");
  });
});
