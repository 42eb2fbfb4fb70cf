import { describe, expect, it } from "vitest";

import { reading } from "../../../src/renewal/reading.ts";
import { createRenewalBench } from "../../support/renewal-bench.ts";
import { endOf, intentBy, rejected, wishBeyond } from "../../support/renewal-cases.ts";

const alarm = { reason: "two owners", at: new Date(0) };

describe("R1: under the lock the record is read afresh, and decides", () => {
  it.each([
    {
      name: "a person's wish for another token than the stored one",
      due: true,
      wish: "token-1",
      to: "manual",
    },
    { name: "the stored token reported dead", due: true, dead: ["token-0", "token-1"], to: "rejected" },
    { name: "the clock", due: true, to: "scheduled" },
    { name: "a report of another token than the stored one", dead: ["token-0"], to: undefined },
    { name: "a wish that somebody has fulfilled meanwhile", wish: "token-0", to: undefined },
    { name: "nothing", to: undefined },
  ])("$name leads to $to", async ({ due, wish, dead, to }) => {
    const bench = createRenewalBench();
    bench.knobs.due = due ?? false;
    const run = await bench.at({
      ...(wish === undefined ? {} : wishBeyond(wish)),
      ...rejected(...(dead ?? [])),
    });
    const next = await reading(run);
    if (to === undefined) {
      expect(next).toMatchObject({ to: "idle", end: { kind: "nothing-to-do" } });
    } else {
      expect(next).toMatchObject({ to: "probing", reason: to, found: bench.store.current() });
    }
    expect(bench.trail[0]).toBe("read");
    expect(bench.store.written).toEqual([]);
  });

  it("shows the record to whoever thought that there was something to do", async () => {
    const bench = createRenewalBench();
    await reading(await bench.at());
    expect(bench.trail).toEqual(["read", "notice"]);
  });

  it.each([
    { soleCall: true, automatic: true },
    { soleCall: false, automatic: true },
    { soleCall: true, automatic: false },
  ])("an intent that stands comes before everything else: $soleCall, $automatic", async (differences) => {
    const { soleCall, automatic } = differences;
    const bench = createRenewalBench({ automatic, stored: { intent: intentBy("another", { soleCall }) } });
    bench.knobs.due = true;
    const next = await reading(await bench.at({ ...wishBeyond("token-1"), ...rejected("token-1") }));
    expect(next).toMatchObject({
      to: "intending",
      reason: "takeover",
      soleCall: false,
      takenOver: { soleCall },
    });
  });

  it("what can't be read begins nothing, and changes nothing", async () => {
    const bench = createRenewalBench();
    bench.store.failReads(1);
    expect(endOf(await reading(await bench.at(wishBeyond("token-1"))))).toMatchObject({
      kind: "unreachable",
    });
    expect(bench.trail).toEqual(["read fails"]);
  });

  it("a token that is absent is due, and no death", async () => {
    const bench = createRenewalBench({ stored: null });
    expect(await reading(await bench.at())).toMatchObject({ to: "probing", reason: "scheduled" });
  });
});

describe("R1: while the alarm is latched", () => {
  it.each([
    { name: "the clock", trigger: {} },
    { name: "a dead token", trigger: rejected("token-1") },
    { name: "a wish without force", trigger: wishBeyond("token-1") },
  ])("$name begins nothing", async ({ trigger }) => {
    const bench = createRenewalBench({ stored: { stopped: alarm, intent: intentBy("another") } });
    bench.knobs.due = true;
    expect(await reading(await bench.at(trigger))).toMatchObject({
      to: "stopped",
      end: { kind: "stopped", detail: "two owners" },
    });
    expect(bench.store.written).toEqual([]);
  });

  it("a person's force clears it and empties the list of deaths, in one write, and reads again", async () => {
    const bench = createRenewalBench({ stored: { stopped: alarm, unexplainedDeaths: [new Date(0)] } });
    const run = await bench.at(wishBeyond("token-1", true));
    expect(await reading(run)).toEqual({ to: "reading" });
    expect(bench.store.record()).toMatchObject({ stopped: null, unexplainedDeaths: [], generation: 1 });
    expect(bench.told).toEqual(["alarm cleared"]);
    expect(await reading(run)).toMatchObject({ to: "probing", reason: "manual" });
  });

  it("a clearing that was refused is no clearing: what stands there now decides", async () => {
    const bench = createRenewalBench({ stored: { stopped: alarm } });
    bench.store.beforeWrite(() => bench.store.put({ stopped: { ...alarm, reason: "newer" } }));
    const run = await bench.at(wishBeyond("token-1", true));
    expect(await reading(run)).toEqual({ to: "reading" });
    expect(bench.store.record().stopped?.reason).toBe("newer");
    expect(bench.told).toEqual([]);
  });

  it("a clearing without an answer ends the run, and issues nothing", async () => {
    const bench = createRenewalBench({ stored: { stopped: alarm } });
    bench.store.script("lost");
    expect(endOf(await reading(await bench.at(wishBeyond("token-1", true))))).toMatchObject({
      kind: "unreachable",
    });
    expect(bench.told).toEqual([]);
  });
});

describe("R1: a record sealed with another than the first key", () => {
  it("is written anew, as it is, before anything else", async () => {
    const bench = createRenewalBench();
    const { store } = bench;
    let sealedWithFirstKey = false;
    const run = await bench.at();
    const read = async () => {
      const found = await store.read();
      return found === undefined ? undefined : { ...found, sealedWithFirstKey };
    };
    const deps = { ...run.deps, store: { ...store, read } };
    expect(await reading({ ...run, deps })).toEqual({ to: "reading" });
    expect(store.written).toHaveLength(1);
    expect(store.written[0]?.token?.reveal()).toBe("token-1");
    sealedWithFirstKey = true;
    expect(await reading({ ...run, deps })).toMatchObject({ to: "idle" });
    expect(store.written).toHaveLength(1);
  });
});
