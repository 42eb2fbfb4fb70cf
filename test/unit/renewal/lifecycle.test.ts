import { describe, expect, it } from "vitest";

import { CommandError } from "../../../src/errors.ts";
import {
  createLifecycleBench,
  type LifecycleBench,
  nothing,
  startedLifecycle,
  unreachable,
} from "../../support/lifecycle-bench.ts";
import { idOf, intentBy } from "../../support/renewal-cases.ts";

const hour = 60 * 60_000;

describe("R0: what begins a run", () => {
  it("is the start, once, whatever stands in the record: an earlier process may have left something", async () => {
    for (const automatic of [true, false]) {
      const bench = createLifecycleBench({ automatic });
      bench.presto.says("token-1", "alive");
      bench.lifecycle.look();
      bench.lifecycle.tokenRejected(idOf("token-1"));
      expect(bench.runs).toHaveLength(0);
      bench.lifecycle.start();
      expect(bench.runs).toHaveLength(1);
      await bench.last().end(nothing);
      await bench.clock.advance(hour);
      expect(bench.runs).toHaveLength(1);
    }
  });

  it("waits for the lock for as long as it takes", () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    expect(bench.last().lockWaitMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("is the due time, when it comes, without anybody calling", async () => {
    const bench = await startedLifecycle();
    bench.dueAt = bench.clock.now() + 7 * hour;
    bench.lifecycle.recordChanged();
    await bench.clock.advance(7 * hour - 1);
    expect(bench.runs).toHaveLength(1);
    bench.knobs.due = true;
    await bench.clock.advance(1);
    expect(bench.runs).toHaveLength(2);
    expect(bench.last().trigger).toEqual({ wish: undefined, rejected: new Set() });
  });

  it("is the stored token that was reported dead", async () => {
    const bench = await startedLifecycle();
    bench.lifecycle.tokenRejected(idOf("token-1"));
    expect(bench.last().trigger.rejected).toEqual(new Set([idOf("token-1")]));
    expect(bench.runs).toHaveLength(2);
  });

  it("is not a report of another token, which also takes no earlier one's place", async () => {
    const bench = await startedLifecycle();
    bench.lifecycle.tokenRejected(idOf("token-0"));
    expect(bench.runs).toHaveLength(1);
    bench.lifecycle.tokenRejected(idOf("token-1"));
    await bench.last().end(unreachable);
    bench.lifecycle.tokenRejected(idOf("token-0"));
    await bench.clock.advance(5_000);
    expect(bench.runs).toHaveLength(3);
    expect(bench.last().trigger.rejected).toContain(idOf("token-1"));
  });

  it("is a report that came while a run was under way that did not know of it", async () => {
    const bench = createLifecycleBench();
    bench.presto.says("token-1", "alive");
    bench.lifecycle.start();
    bench.lifecycle.tokenRejected(idOf("token-1"));
    await bench.last().end(nothing);
    await bench.clock.advance(1_000);
    expect(bench.runs).toHaveLength(2);
    await bench.last().end(nothing);
    await bench.clock.advance(hour);
    expect(bench.runs).toHaveLength(2);
  });

  it("is an intent that stands and that nobody here works on", async () => {
    const bench = await startedLifecycle();
    bench.store.put({ intent: intentBy("killed") });
    bench.lifecycle.recordChanged();
    expect(bench.runs).toHaveLength(2);
  });

  it("is nothing while the alarm is latched", async () => {
    const bench = await startedLifecycle();
    bench.store.put({ stopped: { reason: "two owners", at: new Date(0) }, intent: intentBy("killed") });
    bench.knobs.due = true;
    bench.lifecycle.tokenRejected(idOf("token-1"));
    await bench.clock.advance(hour);
    expect(bench.runs).toHaveLength(1);
  });

  it("is one at a time", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    for (let times = 0; times < 5; times += 1) {
      bench.lifecycle.recordChanged();
      bench.lifecycle.tokenRejected(idOf("token-1"));
      await bench.clock.advance(hour);
    }
    expect(bench.runs).toHaveLength(2);
  });
});

describe("R0 with PRESTO_RENEW=manual", () => {
  it("issues nothing by itself, due or dead or absent", async () => {
    const bench = await startedLifecycle({ automatic: false });
    bench.dueAt = bench.clock.now();
    bench.lifecycle.tokenRejected(idOf("token-1"));
    bench.store.put({ token: null });
    bench.remembered.died(idOf("token-1"));
    await bench.clock.advance(hour);
    expect(bench.runs).toHaveLength(1);
  });

  it("still settles an intent, and takes no report with it", async () => {
    const bench = await startedLifecycle({ automatic: false });
    bench.lifecycle.tokenRejected(idOf("token-1"));
    bench.store.put({ intent: intentBy("killed") });
    bench.lifecycle.recordChanged();
    expect(bench.runs).toHaveLength(2);
    expect(bench.last().trigger.rejected).toEqual(new Set());
  });
});

describe("R0: a moment that passes while it is looked for", () => {
  it.each([
    {
      what: "a retry",
      arrange(bench: LifecycleBench) {
        bench.isDueByClock = false;
        bench.knobs.due = true;
        return bench.last().end(unreachable);
      },
      inMs: 1_000,
    },
    {
      what: "the due time",
      async arrange(bench: LifecycleBench) {
        await bench.last().end(nothing);
        bench.dueAt = bench.clock.now() + 5_000;
        bench.lifecycle.recordChanged();
      },
      inMs: 5_000,
    },
  ])("is not missed: $what comes when it was to come, and not at some later look", async (given) => {
    for (let part = 0; part < 20; part += 1) {
      const bench = createLifecycleBench();
      bench.presto.says("token-1", "alive");
      bench.timersEarlyMs = part / 10;
      bench.readingTakesMs = 0.07;
      bench.isDueByClock = true;
      bench.lifecycle.start();
      await given.arrange(bench);
      await bench.clock.advance(given.inMs + 200);
      expect([part, bench.runs.length]).toEqual([part, 2]);
    }
  });
});

describe("R0: clocks that lie", () => {
  it("are looked at again by whoever calls, once the time of the next look has passed", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.wallAheadMs = 10_000;
    bench.lifecycle.look();
    expect(bench.runs).toHaveLength(1);
    bench.wallAheadMs = 10 * hour;
    bench.lifecycle.look();
    expect(bench.runs).toHaveLength(2);
  });

  it("are looked at every 15 s at the latest", async () => {
    const bench = await startedLifecycle();
    await bench.clock.advance(60_000);
    bench.knobs.due = true;
    await bench.clock.advance(15_000);
    expect(bench.runs).toHaveLength(2);
  });

  it.each([
    { name: "a renewal is under way", arrange: { token: undefined }, running: true },
    { name: "there is no token", arrange: { token: null }, running: false },
  ])("do not keep the processor busy while $name", async ({ arrange, running }) => {
    const bench = await startedLifecycle({
      automatic: false,
      stored: arrange.token === null ? { token: null } : {},
    });
    if (running) void bench.lifecycle.renew({ force: false, waitMs: 1 });
    const before = bench.ticks();
    await bench.clock.advance(10 * 60_000);
    expect(bench.ticks() - before).toBeLessThan(50);
  });
});

describe("a run that did not work out", () => {
  it("is followed by another later, ever later, and what is due stays due", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    const gaps: number[] = [];
    for (let times = 0; times < 7; times += 1) {
      const before = bench.runs.length;
      await bench.last().end(unreachable);
      const from = bench.clock.monotonic();
      while (bench.runs.length === before) await bench.clock.advance(50);
      gaps.push(bench.clock.monotonic() - from);
    }
    expect(gaps).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("says why, and when it is tried again", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end({ kind: "refused", credentials: false, detail: "429", retryAfterMs: 60_000 });
    expect(bench.lifecycle.report()).toMatchObject({
      lastEnd: { kind: "refused", detail: "429", at: new Date(bench.clock.now()) },
      nextTryAt: new Date(bench.clock.now() + 60_000),
    });
    await bench.clock.advance(59_999);
    expect(bench.runs).toHaveLength(2);
    await bench.clock.advance(1);
    expect(bench.runs).toHaveLength(3);
  });

  it("tells the lock's own words", async () => {
    const bench = createLifecycleBench();
    bench.lifecycle.start();
    await bench.last().fail(new CommandError("system-refused", "The lock file could not be made."));
    expect(bench.lifecycle.report().lastEnd).toMatchObject({
      kind: "unreachable",
      detail: expect.stringContaining("The lock file could not be made."),
    });
  });

  it("is followed by none where it brought a token that is due again at once, until the clock is mended", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    const expiresAt = new Date(bench.clock.now() + hour);
    await bench.last().end({ kind: "renewed", tokenId: idOf("token-1"), generation: 2, expiresAt });
    await bench.clock.advance(hour);
    expect(bench.runs).toHaveLength(2);
    expect(bench.lifecycle.report().clockWrong).toContain("due for renewal already");
    // A dead token is replaced all the same, and one that is not there is asked for.
    bench.lifecycle.tokenRejected(idOf("token-1"));
    expect(bench.runs).toHaveLength(3);
    await bench.last().end({ kind: "renewed", tokenId: idOf("token-1"), generation: 3, expiresAt });
    bench.knobs.due = false;
    await bench.clock.advance(15_000);
    expect(bench.lifecycle.report().clockWrong).toBeNull();
    bench.knobs.due = true;
    await bench.clock.advance(15_000);
    expect(bench.runs).toHaveLength(4);
  });
});
