import { describe, expect, it } from "vitest";

import { reconciling } from "../../../src/renewal/storing.ts";
import { Secret } from "../../../src/secret.ts";
import { createRenewalBench, follow } from "../../support/renewal-bench.ts";
import type { RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy, standing } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

/** R7b of token-2, which was heard of `ageMs` ago. */
async function reconcile(bench: RenewalBench, ageMs = 60_000) {
  const account = await bench.deps.accounts.next();
  if (account === undefined) throw new Error("no account");
  const issued = issuedToken("token-2", bench.clock.now());
  await bench.clock.advance(ageMs);
  const candidate = { issued, account, since: bench.clock.monotonic() - ageMs };
  return follow(reconciling(await bench.at(), { to: "reconciling", candidate }));
}

describe("R7b: read, then probe one's own token, then write over what was read", () => {
  it("in this order", async () => {
    const bench = createRenewalBench();
    standing(bench);
    bench.presto.says("token-2", "alive");
    const next = await reconcile(bench);
    await bench.clock.advance(0);
    expect(bench.trail).toEqual(["read", "probe token-2", "write", "notice"]);
    expect(next.now).toMatchObject({ to: "idle", end: { kind: "renewed", generation: 2 } });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
  });

  it("is done where the write without an answer was applied", async () => {
    const bench = createRenewalBench();
    bench.store.put({ token: new Secret("token-2"), generation: 5, intent: null });
    const next = await reconcile(bench);
    await bench.clock.advance(0);
    expect(next.now).toMatchObject({ to: "idle", end: { kind: "renewed", generation: 5 } });
    expect(bench.trail).toEqual(["read", "notice"]);
  });

  it("goes over another's token, which must be dead if ours lives, as the next generation", async () => {
    const bench = createRenewalBench();
    bench.store.put({
      token: new Secret("token-x"),
      generation: 9,
      issuedAt: new Date(bench.clock.now() + 1),
    });
    bench.presto.says("token-2", "alive");
    await reconcile(bench);
    await bench.clock.advance(0);
    expect(bench.store.record()).toMatchObject({ generation: 10, intent: null });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
  });

  it("leaves another holder's intent in place, whose call is not the only one any more", async () => {
    const bench = createRenewalBench({ stored: { intent: intentBy("another", { soleCall: true }) } });
    bench.presto.says("token-2", "alive");
    await reconcile(bench);
    await bench.clock.advance(0);
    expect(bench.store.record().intent).toEqual(intentBy("another", { soleCall: false }));
    expect(bench.store.record().token?.reveal()).toBe("token-2");
  });

  it("takes away an intent of its own with the token", async () => {
    const bench = createRenewalBench();
    standing(bench, { id: "an older call's" });
    bench.presto.says("token-2", "alive");
    await reconcile(bench);
    await bench.clock.advance(0);
    expect(bench.store.record().intent).toBeNull();
  });

  it("drops a token that is dead, and writes nothing over another's", async () => {
    const bench = createRenewalBench();
    bench.store.put({ token: new Secret("token-x") });
    bench.presto.says("token-2", "dead");
    const next = await reconcile(bench);
    await bench.clock.advance(0);
    expect(next.now).toMatchObject({ to: "clearing", end: { kind: "lost" } });
    expect(bench.trail).toEqual(["read", "probe token-2", "withdraw token-2"]);
    expect(bench.told).toContain("probed token-2 dead");
  });

  it("probes on where its token is younger than 30 s: a 401 proves nothing yet", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-2", "dead");
    const next = await reconcile(bench, 0);
    await bench.clock.advance(29_999);
    expect(next.now).toBeUndefined();
    expect(bench.trail.filter((step) => step === "probe token-2").length).toBeGreaterThan(3);
    expect(bench.told).toEqual([]);
    await bench.clock.advance(5_001);
    expect(next.now).toMatchObject({ to: "clearing", end: { kind: "lost" } });
  });
});

describe("R7b goes on", () => {
  it.each(["refused", "lost", "late"] as const)(
    "after a write that was %s, by reading again",
    async (end) => {
      const bench = createRenewalBench();
      standing(bench);
      bench.presto.says("token-2", "alive");
      bench.store.script(end);
      const next = await reconcile(bench);
      await bench.clock.advance(0);
      expect(next.now).toBeUndefined();
      await bench.clock.advance(100);
      expect(bench.trail.slice(0, 6)).toEqual([
        "read",
        "probe token-2",
        `write ${end}`,
        "read",
        "probe token-2",
        "write",
      ]);
      expect(next.now).toMatchObject({ end: { kind: "renewed", tokenId: idOf("token-2") } });
      // A write that arrives late finds another version.
      expect(bench.store.applyLate()).toBe(false);
    },
  );

  it("keeping its token, while no probe tells anything", async () => {
    const bench = createRenewalBench();
    const next = await reconcile(bench);
    await bench.clock.advance(60 * 60_000);
    expect(next.now).toBeUndefined();
    expect(bench.store.written).toEqual([]);
    bench.presto.says("token-2", "alive");
    await bench.clock.advance(5_000);
    expect(next.now).toMatchObject({ end: { kind: "renewed" } });
  });

  it("keeping its token, while the store is away, also for hours and when the process is asked to end", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-2", "alive");
    bench.store.failReads(100_000);
    bench.draining.abort();
    const next = await reconcile(bench);
    await bench.clock.advance(60 * 60_000);
    expect(next.now).toBeUndefined();
    expect(bench.trail).not.toContain("withdraw token-2");
    bench.store.failReads(0);
    await bench.clock.advance(5_000);
    expect(next.now).toMatchObject({ end: { kind: "renewed" } });
  });

  it("ever more slowly, to 5 s", async () => {
    const bench = createRenewalBench();
    bench.store.failReads(100_000);
    await reconcile(bench);
    await bench.clock.advance(60_000);
    const before = bench.trail.length;
    await bench.clock.advance(60_000);
    expect(bench.trail.length - before).toBe(12);
  });

  it("until the process ends", async () => {
    const bench = createRenewalBench();
    bench.store.failReads(100_000);
    const next = await reconcile(bench);
    await bench.clock.advance(10_000);
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(next.now).toEqual({ to: "idle", end: { kind: "shut-down" } });
  });
});
