import { describe, expect, it } from "vitest";

import { reading } from "../../../src/renewal/reading.ts";
import type { NextState } from "../../../src/renewal/run.ts";
import { Secret } from "../../../src/secret.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { endOf, intentBy, rejected, wishBeyond } from "../../support/renewal-cases.ts";
import { issuedToken, unclear } from "../../support/scripted-presto.ts";

const home = { uid: "uid-1", name: "token" };
const alarm = { reason: "two owners", at: new Date(0) };

/** A process that remembers `token-2`, generation 5, over a record with an older token. */
function createCase(options: Parameters<typeof createRenewalBench>[0] = {}): RenewalBench {
  const bench = createRenewalBench(options);
  bench.store.tellsOf(home, '"kubectl-client-side-apply" at 2026-01-01T00:00:00Z');
  bench.remembered.lives({ ...issuedToken("token-2", bench.clock.now()), generation: 5, since: 0 });
  return bench;
}

describe("R1: a record that was put back, and a remembered token that lives", () => {
  it("is written over with that token, our home and the next generation, before all else", async () => {
    const deaths = [new Date(1), new Date(2)];
    const bench = createCase({
      stored: { generation: 3, stopped: alarm, unexplainedDeaths: deaths, lastDeath: "somebody" },
    });
    bench.knobs.due = true;
    bench.presto.says("token-2", "alive");
    const run = await bench.at({ ...wishBeyond("token-1"), ...rejected("token-1") });
    expect(await reading(run)).toEqual({ to: "reading" });
    expect(bench.store.record()).toMatchObject({
      generation: 6,
      stopped: alarm,
      unexplainedDeaths: deaths,
      lastDeath: "somebody",
      intent: null,
      home,
      writtenBy: { holder: "this-process" },
    });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
    expect(bench.trail).toEqual(["read", "probe token-2", "write", "notice"]);
    expect(bench.told).toEqual(["probed token-2 alive", "put back as 6"]);
    expect(bench.presto.calls).toEqual([]);
  });

  it("keeps the record's generation going where that is the greater one", async () => {
    const bench = createCase({ stored: { generation: 9 } });
    bench.presto.says("token-2", "alive");
    await reading(await bench.at());
    expect(bench.store.record().generation).toBe(10);
  });

  it("leaves an intent in it, whoever's, without its proof: it is taken over like any other", async () => {
    for (const holder of ["another", "this-process"]) {
      const bench = createCase({ stored: { intent: intentBy(holder, { soleCall: true }) } });
      bench.presto.says("token-2", "alive");
      const run = await bench.at();
      expect(await reading(run)).toEqual({ to: "reading" });
      expect(bench.store.record().intent).toMatchObject({ holder, soleCall: false });
      expect(await reading(run)).toMatchObject({
        to: "intending",
        reason: "takeover",
        takenOver: { soleCall: false },
      });
    }
  });

  it("is made anew where it was taken away, and says at once which object it is in", async () => {
    const bench = createCase({ stored: null });
    bench.presto.says("token-2", "alive");
    expect(await reading(await bench.at())).toEqual({ to: "reading" });
    expect(bench.store.record()).toMatchObject({ generation: 6, home });
    expect(bench.store.written.map((record) => record.home)).toEqual([null, home]);
    expect(bench.told).toContain("put back as 6, it was gone");
  });

  it("fulfils no wish and renews nothing: what is due is due after it, as ever", async () => {
    const bench = createCase();
    bench.presto.says("token-2", "alive");
    const run = await bench.at(wishBeyond("token-2"));
    await reading(run);
    expect(await reading(run)).toMatchObject({ to: "probing", reason: "manual" });
  });

  it.each(["refused", "lost", "lost-but-applied"] as const)(
    "reads and probes again after a write that was %s, and never assumes",
    async (end) => {
      const bench = createCase();
      bench.presto.says("token-2", "alive");
      bench.store.script(end);
      const run = await bench.at();
      expect(await reading(run)).toEqual({ to: "reading" });
      for (let next: NextState = { to: "reading" }; next.to === "reading";) next = await reading(run);
      expect(bench.store.record().token?.reveal()).toBe("token-2");
      const probes = bench.trail.filter((step) => step === "probe token-2").length;
      expect(probes).toBe(end === "lost-but-applied" ? 1 : 2);
    },
  );

  it("is left where the lock was lost meanwhile", async () => {
    const bench = createCase();
    bench.presto.says("token-2", "alive");
    bench.store.script("refused");
    const run = await bench.at();
    bench.knobs.heldUntil = -1;
    expect(endOf(await reading(run))).toMatchObject({ kind: "unreachable" });
  });
});

describe("R1: a remembered token that does not live", () => {
  it("is forgotten where it is dead, and the stored one counts as usual", async () => {
    const bench = createCase();
    bench.presto.says("token-2", "dead");
    const run = await bench.at(rejected("token-1"));
    expect(await reading(run)).toMatchObject({ to: "probing", reason: "rejected" });
    expect(bench.remembered.all()).toEqual([]);
    expect(bench.store.written).toEqual([]);
  });

  it.each(["unclear", "young", "blind"] as const)(
    "is kept where the probe says %s, and nothing is begun",
    async (verdict) => {
      const bench = createCase({ stored: { intent: intentBy("another"), stopped: alarm } });
      bench.knobs.due = true;
      bench.presto.says("token-2", verdict);
      expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "unreachable" });
      expect(bench.remembered.all()).toHaveLength(1);
      expect(bench.store.written).toEqual([]);
    },
  );

  it("is asked after nowhere while this process may not leave", async () => {
    const bench = createCase();
    bench.knobs.mayLeave = false;
    expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "unreachable" });
    expect(bench.trail).toEqual(["read"]);
  });

  it("is forgotten, though no probe tells, where the stored one was accepted after it was known", async () => {
    const bench = createCase({ stored: { home } });
    bench.presto.says("token-2", "blind");
    bench.presto.says("token-1", "alive-lately");
    expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.remembered.all().map(({ token }) => token.reveal())).toEqual(["token-1"]);
    expect(bench.store.written).toEqual([]);
  });

  it("keeps nobody from replacing what must be replaced, where no probe will ever tell: for a person, or at its end", async () => {
    for (const { trigger, expiresInMs, to } of [
      { trigger: {}, expiresInMs: 80, to: "idle" },
      { trigger: wishBeyond("token-1"), expiresInMs: 80, to: "probing" },
      { trigger: {}, expiresInMs: 1, to: "probing" },
    ]) {
      const bench = createRenewalBench();
      bench.remembered.lives({ ...issuedToken("token-2", 0), generation: 5, since: 0 });
      bench.store.put({ expiresAt: new Date(bench.clock.now() + expiresInMs * 24 * 3_600_000) });
      bench.knobs.due = true;
      bench.presto.says("token-2", "blind");
      bench.presto.says("token-1", "blind");
      expect(await reading(await bench.at(trigger))).toMatchObject({ to });
      expect(bench.remembered.all().map(({ token }) => token.reveal())).toEqual(["token-2"]);
    }
  });

  it("is written back on no evidence but a probe's: a call that was accepted lately may be older than the token that stands there", async () => {
    const bench = createCase();
    bench.presto.says("token-2", "alive-lately");
    expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "unreachable" });
    expect(bench.store.written).toEqual([]);
  });

  it("is not looked for where it stands in the record", async () => {
    const bench = createCase({ stored: { token: new Secret("token-2"), home } });
    expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.trail).toEqual(["read", "notice"]);
  });
});

describe("R1: a record that was written for another object", () => {
  const elsewhere = { uid: "uid-2", name: "token" };

  it("is ours again where a token is remembered and lives, also the very one that stands there", async () => {
    for (const token of ["token-1", "token-2"]) {
      const bench = createCase({ stored: { token: new Secret(token), home: elsewhere } });
      bench.presto.says("token-2", "alive");
      expect(await reading(await bench.at())).toEqual({ to: "reading" });
      expect(bench.store.record()).toMatchObject({ home, generation: 6 });
      expect(bench.store.record().token?.reveal()).toBe("token-2");
    }
  });

  it.each([
    { name: "due", more: {} },
    { name: "an intent", more: { intent: intentBy("another") } },
    { name: "the alarm", more: { stopped: alarm } },
    { name: "another key's seal", more: {} },
  ])("with none remembered nothing is issued and nothing written: $name", async ({ more }) => {
    const bench = createCase({ stored: { home: elsewhere, ...more } });
    bench.knobs.due = true;
    bench.presto.says("token-2", "dead");
    bench.presto.says("token-1", "dead");
    const run = await bench.at({ ...wishBeyond("token-1"), ...rejected("token-1") });
    expect(endOf(await reading(run))).toMatchObject({
      kind: "elsewhere",
      detail: expect.stringContaining("presto-sidecar token renew --force"),
    });
    expect(bench.store.written).toEqual([]);
    expect(bench.remembered.all()).toEqual([]);
  });

  it("is taken as one's own by a person's force, with the intent's write", async () => {
    const bench = createRenewalBench({ stored: { home: elsewhere, stopped: alarm } });
    bench.store.tellsOf(home);
    bench.presto.says("token-1", "alive");
    bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    const run = bench.begin(wishBeyond("token-1", true));
    await bench.clock.advance(1_000);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(
      bench.store.written.map((record) => [record.home, record.intent?.id, record.token?.reveal()]),
    ).toEqual([
      [elsewhere, undefined, "token-1"],
      [home, "id-1", "token-1"],
      [home, undefined, "token-2"],
    ]);
  });

  it("has no token remembered, proved alive or not", async () => {
    const bench = createRenewalBench({ stored: { home: elsewhere } });
    bench.store.tellsOf(home);
    bench.presto.says("token-1", "alive");
    bench.presto.will({ kind: "refused", status: 429, detail: "no" });
    await bench.begin(wishBeyond("token-1", true)).promise;
    // The force has made it ours: only what is proved alive from now on counts.
    expect(bench.store.record().home).toEqual(home);
    expect(bench.remembered.all()).toEqual([]);
  });

  it("keeps what is issued beside it: the candidate is stored at our home", async () => {
    const bench = createRenewalBench({ stored: {} });
    bench.store.tellsOf(home);
    bench.presto.says("token-1", "alive");
    bench.presto.says("token-2", "alive");
    const run = bench.begin(wishBeyond("token-1"));
    await bench.clock.advance(0);
    bench.store.put({ token: new Secret("token-0"), home: elsewhere, intent: null });
    bench.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(1_000);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.record().home).toEqual(home);
  });
});

describe("what is remembered", () => {
  it("is what was issued, from the moment that its answer was read", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    bench.store.beforeWrite(() => {});
    await bench.begin(wishBeyond("token-1")).promise;
    expect(bench.remembered.all().map(({ token, generation }) => [token.reveal(), generation])).toEqual([
      ["token-2", 2],
    ]);
  });

  it("is what a probe proved alive in our record, and not what was merely read", async () => {
    const bench = createRenewalBench();
    bench.knobs.due = true;
    bench.presto.says("token-1", "unclear");
    await bench.begin().promise;
    expect(bench.remembered.all()).toEqual([]);
    bench.presto.says("token-1", "alive");
    bench.presto.will({ kind: "refused", status: 429, detail: "no" });
    await bench.begin().promise;
    expect(bench.remembered.all().map(({ token }) => token.reveal())).toEqual(["token-1"]);
  });

  it("is forgotten once it is found dead", async () => {
    const bench = createRenewalBench();
    bench.remembered.lives({ ...issuedToken("token-1", 0), generation: 1, since: 0 });
    bench.presto.says("token-1", "dead");
    bench.presto.will({ kind: "refused", status: 429, detail: "no" });
    await bench.begin(rejected("token-1")).promise;
    expect(bench.remembered.all()).toEqual([]);
  });

  it("is found by R4 before it renews: a token that was heard of late settles the intent, and no call is made", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    bench.store.put({ intent: intentBy("another", { soleCall: true }) });
    const run = await bench.at();
    const state = await reading(run);
    expect(state.to).toBe("intending");
    const taken = bench.begin();
    // Heard of while the intent is taken over.
    bench.store.beforeWrite(() =>
      bench.remembered.lives({ ...issuedToken("token-2", 0), generation: 2, since: 0 }),
    );
    bench.presto.says("token-2", "alive");
    await bench.clock.advance(10_000);
    expect(taken.now).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.store.record()).toMatchObject({ intent: null, generation: 3 });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
    expect(bench.presto.calls).toEqual([]);
    expect(bench.told).toContain("put back as 3");
  });

  it("keeps two while neither is judged, and gives up the one that its own call killed", () => {
    const { remembered } = createRenewalBench();
    const kept = (text: string) => ({ ...issuedToken(text, 0), generation: 1, since: 0 });
    const texts = (): string[] => remembered.all().map(({ token }) => token.reveal());
    remembered.issued(kept("a"), undefined);
    remembered.issued(kept("b"), kept("a").token.fingerprint());
    expect(texts()).toEqual(["b"]);
    remembered.issued(kept("c"), kept("other").token.fingerprint());
    expect(texts()).toEqual(["b", "c"]);
    remembered.died(kept("b").token.fingerprint());
    expect(texts()).toEqual(["c"]);
    remembered.issued(kept("d"), undefined);
    remembered.lives(kept("c"));
    expect(texts()).toEqual(["c"]);
  });

  it("is asked in every run: a death without an answer that tells begins no renewal", async () => {
    const bench = createCase();
    bench.presto.says("token-1", "dead");
    bench.presto.will(unclear);
    expect(await bench.begin(rejected("token-1")).promise).toMatchObject({ kind: "unreachable" });
    expect(bench.presto.calls).toEqual([]);
  });
});
