import { describe, expect, it } from "vitest";

import { clearing } from "../../../src/renewal/storing.ts";
import { createRenewalBench, follow, type RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy, standing } from "../../support/renewal-cases.ts";

const end = { kind: "unreachable", detail: "nothing was sent" } as const;

async function clear(bench: RenewalBench) {
  return follow(clearing(await bench.at(), { to: "clearing", end }));
}

describe("R8: an intent goes when nothing comes of it", () => {
  it("whatever the id of the call that it was written for, and all else stays", async () => {
    const bench = createRenewalBench();
    const { record } = standing(bench, { id: "an earlier call's" });
    const next = await clear(bench);
    await bench.clock.advance(0);
    expect(bench.store.record()).toEqual({
      ...record,
      intent: null,
      home: null,
      writtenBy: { holder: "this-process", lock: "scripted lock" },
    });
    expect(next.now).toEqual({ to: "idle", end });
    expect(bench.trail).toEqual(["read", "write", "notice"]);
  });

  it("but not another holder's: its call may be under way", async () => {
    const bench = createRenewalBench({ stored: { intent: intentBy("another") } });
    const next = await clear(bench);
    await bench.clock.advance(0);
    expect(next.now).toEqual({ to: "idle", end });
    expect(bench.store.written).toEqual([]);
  });

  it.each([{ stored: null }, {}])("and none is no trouble", async (options) => {
    const bench = createRenewalBench(options);
    expect(await (await clear(bench)).promise).toEqual({ to: "idle", end });
    expect(bench.store.written).toEqual([]);
  });

  it.each(["refused", "lost", "lost-but-applied"] as const)(
    "also after a write that was %s",
    async (first) => {
      const bench = createRenewalBench();
      standing(bench);
      bench.store.script(first);
      const next = await clear(bench);
      await bench.clock.advance(0);
      expect(next.now).toBeUndefined();
      await bench.clock.advance(100);
      expect(next.now).toEqual({ to: "idle", end });
      expect(bench.store.record().intent).toBeNull();
    },
  );

  it("as soon as the store is back, also where the process was asked to end", async () => {
    const bench = createRenewalBench();
    standing(bench);
    bench.store.failReads(100_000);
    bench.draining.abort();
    const next = await clear(bench);
    await bench.clock.advance(60 * 60_000);
    expect(next.now).toBeUndefined();
    bench.store.failReads(0);
    await bench.clock.advance(5_000);
    expect(next.now).toEqual({ to: "idle", end });
  });

  it("unless the process ends before: the next one finds it", async () => {
    const bench = createRenewalBench();
    standing(bench);
    bench.store.failReads(100_000);
    const next = await clear(bench);
    await bench.clock.advance(10_000);
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(next.now).toEqual({ to: "idle", end: { kind: "shut-down" } });
    expect(bench.store.record().intent).not.toBeNull();
  });
});

describe("R8: a death that no issue has answered", () => {
  const deaths = [new Date(1), new Date(2)];

  it("is taken back with the intent, and may be counted again", async () => {
    const bench = createRenewalBench({ stored: { unexplainedDeaths: deaths, lastDeath: idOf("token-1") } });
    standing(bench);
    const run = await bench.at();
    run.memory.accountedFor = idOf("token-1");
    await clearing(run, { to: "clearing", end: { kind: "refused", credentials: true, detail: "401" } });
    expect(bench.store.written).toHaveLength(1);
    expect(bench.store.record()).toMatchObject({
      intent: null,
      unexplainedDeaths: deaths.slice(0, 1),
      lastDeath: null,
    });
    expect(run.memory.accountedFor).toBeUndefined();
  });

  it.each([
    { name: "the last one was another token's", lastDeath: idOf("token-0"), end },
    { name: "the record is an older one", lastDeath: null, end },
    {
      name: "a token was issued, and has died",
      lastDeath: idOf("token-1"),
      end: { kind: "lost", detail: "dead" } as const,
    },
  ])("stays counted where $name", async (given) => {
    const { lastDeath } = given;
    const bench = createRenewalBench({ stored: { unexplainedDeaths: deaths, lastDeath } });
    standing(bench);
    await clearing(await bench.at(), { to: "clearing", end: given.end });
    expect(bench.store.record()).toMatchObject({ intent: null, unexplainedDeaths: deaths, lastDeath });
  });
});
