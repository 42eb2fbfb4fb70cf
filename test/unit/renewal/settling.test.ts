import { describe, expect, it } from "vitest";

import type { CallInQuestion, Trigger } from "../../../src/renewal/run.ts";
import { settling } from "../../../src/renewal/settling.ts";
import { defaultTimes } from "../../../src/renewal/types.ts";
import { createRenewalBench, dayMs, follow, type RenewalBench } from "../../support/renewal-bench.ts";
import { endOf, idOf, standing, wishBeyond } from "../../support/renewal-cases.ts";

const { settleMs } = defaultTimes;

interface Settled {
  readonly soleCall?: boolean;
  readonly underThisIntent?: boolean;
  readonly trigger?: Partial<Trigger>;
  readonly call?: Partial<CallInQuestion>;
}

/** R4 under an intent that stands in the store, from now on. */
async function settle(bench: RenewalBench, options: Settled = {}) {
  const call = { soleCall: options.soleCall ?? false, givenUpAt: bench.clock.monotonic(), ...options.call };
  const run = await bench.at(options.trigger);
  const state = { to: "settling", standing: standing(bench), call } as const;
  return follow(settling(run, { ...state, underThisIntent: options.underThisIntent ?? false }));
}

describe("R4: a call that was the only one that can have killed the token", () => {
  it("is proved by the dead token to have been executed: nothing is waited for", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    const next = await settle(bench, { soleCall: true, underThisIntent: true });
    await bench.clock.advance(0);
    expect(next.now).toMatchObject({ to: "intending", reason: "scheduled", soleCall: false });
    expect(bench.told).toEqual(["probed token-1 dead"]);
  });

  it("is asked about again and again while SETTLE passes, and waited for while the token lives", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive", "unclear", "alive", "dead");
    const next = await settle(bench, { soleCall: true });
    await bench.clock.advance(1_000 + 2_000 + 3_999);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({ to: "checking" });
  });
});

describe("R4: a call that may not have been the only one", () => {
  it("is not followed by another before SETTLE has passed, although the token is dead", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    const next = await settle(bench);
    await bench.clock.advance(settleMs - 1);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({ to: "checking" });
  });

  it("is given SETTLE from when it was given up, on our own clock", async () => {
    const bench = createRenewalBench();
    await bench.clock.advance(10_000);
    bench.presto.says("token-1", "dead");
    const next = await settle(bench, { call: { givenUpAt: 4_000 } });
    await bench.clock.advance(settleMs - 6_001);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({ to: "checking" });
  });

  it("leaves a token that lives and is not due as it is: the intent is cleared", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    const next = await settle(bench);
    await bench.clock.advance(settleMs);
    expect(next.now).toMatchObject({ to: "clearing", end: { kind: "nothing-to-do" } });
  });

  it.each([
    { name: "by the clock", due: true, trigger: {} },
    { name: "by a person's wish", due: false, trigger: wishBeyond("token-1") },
  ])("is followed by a renewal where the token lives and is due $name", async ({ due, trigger }) => {
    const bench = createRenewalBench();
    bench.knobs.due = due;
    bench.presto.says("token-1", "alive");
    const next = await settle(bench, { trigger });
    await bench.clock.advance(settleMs);
    expect(next.now).toMatchObject({ to: "checking" });
  });

  it("is waited for where there was no token before: nothing can be learnt from one", async () => {
    const bench = createRenewalBench({ stored: null });
    const next = await settle(bench, { soleCall: true });
    await bench.clock.advance(settleMs - 1);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({ to: "checking" });
    expect(bench.trail.filter((step) => step.startsWith("probe"))).toEqual([]);
  });

  it("is not settled by a probe that was asked before SETTLE was over, but by the next, which is asked at once", async () => {
    const bench = createRenewalBench();
    const early = bench.clock.sleep(settleMs + 1).then(() => "alive" as const);
    bench.presto.says("token-1", early, "dead");
    const next = await settle(bench, { soleCall: true });
    await bench.clock.advance(settleMs);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({ to: "checking" });
  });

  it("stays unsettled while no probe tells anything, however long that is", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "unclear");
    const next = await settle(bench);
    await bench.clock.advance(60 * 60_000);
    expect(next.now).toBeUndefined();
    bench.presto.says("token-1", "alive");
    await bench.clock.advance(10_000);
    expect(next.now).toMatchObject({ to: "clearing" });
  });

  it("stays unsettled no longer than to a day before the token's end", async () => {
    const bench = createRenewalBench();
    bench.store.put({ expiresAt: new Date(bench.clock.now() + dayMs + settleMs + 5 * 60_000) });
    bench.presto.says("token-1", "unclear");
    const next = await settle(bench, { underThisIntent: true });
    await bench.clock.advance(settleMs + 4 * 60_000);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(90_000);
    expect(next.now).toMatchObject({ to: "intending", soleCall: false });
  });

  it("is not asked about from an address that is not registered", async () => {
    const bench = createRenewalBench();
    bench.knobs.mayLeave = false;
    bench.presto.says("token-1", "dead");
    const next = await settle(bench);
    await bench.clock.advance(settleMs + 60_000);
    expect(next.now).toBeUndefined();
    expect(bench.trail).not.toContain("probe token-1");
  });
});

describe("R4: every call has an intent of its own", () => {
  it.each([
    { underThisIntent: true, to: "intending" },
    { underThisIntent: false, to: "checking" },
  ])("called under the one that stands: $underThisIntent, then $to", async ({ underThisIntent, to }) => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    const next = await settle(bench, { underThisIntent });
    await bench.clock.advance(settleMs);
    expect(next.now).toMatchObject({ to });
    if (next.now?.to === "intending") {
      expect(next.now.found?.version).toBe(bench.store.current()?.version);
      expect(next.now.soleCall).toBe(false);
    }
  });

  it("and explains the death: it is not counted later on", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    const run = await bench.at();
    const call = { soleCall: true, givenUpAt: 0 };
    const state = { to: "settling", standing: standing(bench), call, underThisIntent: true } as const;
    await settling(run, state);
    expect(run.memory.accountedFor).toBe(idOf("token-1"));
  });
});

describe("R4: where only a person may have tokens issued", () => {
  it("a dead token is not replaced, and the intent goes", async () => {
    const bench = createRenewalBench({ automatic: false });
    bench.presto.says("token-1", "dead");
    const next = await settle(bench);
    await bench.clock.advance(settleMs);
    expect(endOf(next.now)).toMatchObject({ kind: "nothing-to-do" });
  });

  it("a dead token is replaced if a person wished for another", async () => {
    const bench = createRenewalBench({ automatic: false });
    bench.presto.says("token-1", "dead");
    const next = await settle(bench, { trigger: wishBeyond("token-1") });
    await bench.clock.advance(settleMs);
    expect(next.now).toMatchObject({ to: "checking" });
  });
});

describe("R4: a process that is asked to end", () => {
  it("leaves what stands in the record to the next one, without waiting for a probe", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", new Promise(() => {}));
    const next = await settle(bench, { soleCall: true });
    await bench.clock.advance(1_000);
    bench.draining.abort();
    await bench.clock.advance(0);
    expect(next.now).toEqual({ to: "idle", end: { kind: "shut-down" } });
    expect(bench.store.record().intent).not.toBeNull();
  });
});
