import { describe, expect, it } from "vitest";

import type { TokenVerdict } from "../../../src/presto/probe.ts";
import { probing } from "../../../src/renewal/probing.ts";
import { settled } from "../../support/hand-clock.ts";
import { createRenewalBench, dayMs } from "../../support/renewal-bench.ts";
import type { RenewalBench } from "../../support/renewal-bench.ts";
import { endOf, idOf, rejected, wishBeyond } from "../../support/renewal-cases.ts";

type Reason = "manual" | "rejected" | "scheduled";

async function probe(bench: RenewalBench, reason: Reason, verdict?: TokenVerdict) {
  if (verdict !== undefined) bench.presto.says("token-1", verdict);
  const found = await bench.store.read();
  return probing(await bench.at(reason === "rejected" ? rejected("token-1") : {}), {
    to: "probing",
    found,
    reason,
  });
}

/** So many minutes ago. */
function ago(bench: RenewalBench, ...minutes: readonly number[]): readonly Date[] {
  return minutes.map((each) => new Date(bench.clock.now() - each * 60_000));
}

describe("R2: a token that lives", () => {
  it.each(["scheduled", "manual"] as const)("is the proof of the one call that is %s", async (reason) => {
    const bench = createRenewalBench();
    expect(await probe(bench, reason, "alive")).toMatchObject({ to: "intending", reason, soleCall: true });
  });

  it("although it was reported dead: a false report, and nothing is issued", async () => {
    const bench = createRenewalBench();
    expect(endOf(await probe(bench, "rejected", "alive"))).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.store.written).toEqual([]);
    expect(bench.told).toEqual(["probed token-1 alive"]);
  });

  it.each([
    { name: "its end is not known", expiresIn: null, soleCall: false },
    { name: "it ends before a term of the lock and SETTLE are over", expiresIn: 135_000, soleCall: false },
    { name: "it ends a moment after them", expiresIn: 135_001, soleCall: true },
  ])("proves nothing by its death if $name", async ({ expiresIn, soleCall }) => {
    const bench = createRenewalBench();
    const expiresAt = expiresIn === null ? null : new Date(bench.clock.now() + expiresIn);
    bench.store.put({ expiresAt });
    expect(await probe(bench, "scheduled", "alive")).toMatchObject({ to: "intending", soleCall });
  });
});

describe("R2: a token that is dead or absent", () => {
  it.each(["scheduled", "manual"] as const)(
    "is renewed without a proof (%s), and counts as no death",
    async (reason) => {
      const next = await probe(createRenewalBench(), reason, "dead");
      expect(next).toMatchObject({ to: "intending", reason, soleCall: false });
      expect(next).not.toHaveProperty("deaths");
    },
  );

  it("is renewed at once where there is none, without a question to Presto", async () => {
    const bench = createRenewalBench({ stored: null });
    expect(await probe(bench, "scheduled")).toMatchObject({
      to: "intending",
      found: undefined,
      soleCall: false,
    });
    expect(bench.trail).toEqual(["read"]);
  });

  it("after a report is a death that nobody explains, to be counted with the intent", async () => {
    const bench = createRenewalBench();
    const earlier = ago(bench, 3);
    bench.store.put({ unexplainedDeaths: earlier });
    const next = await probe(bench, "rejected", "dead");
    expect(next).toMatchObject({ to: "intending", reason: "rejected", soleCall: false });
    expect(next).toHaveProperty("deaths", [...earlier, new Date(bench.clock.now())]);
    // The intent's own write does it: nothing was written yet.
    expect(bench.store.written).toEqual([]);
  });

  it("is no such death if it had come to its end", async () => {
    const bench = createRenewalBench();
    bench.store.put({ expiresAt: new Date(bench.clock.now()), unexplainedDeaths: ago(bench, 1, 2, 3) });
    const next = await probe(bench, "rejected", "dead");
    expect(next).toMatchObject({ to: "intending" });
    expect(next).not.toHaveProperty("deaths");
  });

  it("is no such death if its end came while it was probed", async () => {
    const bench = createRenewalBench();
    bench.store.put({ expiresAt: new Date(bench.clock.now() + 1_000) });
    bench.presto.says(
      "token-1",
      bench.clock.sleep(2_000).then(() => "dead"),
    );
    const next = probe(bench, "rejected");
    await bench.clock.advance(2_000);
    expect(await next).not.toHaveProperty("deaths");
  });
});

describe("R2: a token dies once", () => {
  it("and is not counted again, however often its renewal has to be begun", async () => {
    const bench = createRenewalBench();
    bench.store.put({ unexplainedDeaths: ago(bench, 3, 2, 1) });
    const run = await bench.at(rejected("token-1"));
    run.memory.accountedFor = idOf("token-1");
    bench.presto.says("token-1", "dead");
    const next = await probing(run, { to: "probing", found: bench.store.current(), reason: "rejected" });
    expect(next).toMatchObject({ to: "intending", reason: "rejected", soleCall: false });
    expect(next).not.toHaveProperty("deaths");
  });

  it("but another's death is", async () => {
    const bench = createRenewalBench();
    const run = await bench.at(rejected("token-1"));
    run.memory.accountedFor = idOf("token-0");
    bench.presto.says("token-1", "dead");
    const next = await probing(run, { to: "probing", found: bench.store.current(), reason: "rejected" });
    expect(next).toHaveProperty("deaths.length", 1);
  });
});

describe("R2: the death that is one too many", () => {
  it("latches the alarm in place of the intent, and issues nothing", async () => {
    const bench = createRenewalBench();
    const earlier = ago(bench, 9, 6, 3);
    bench.store.put({ unexplainedDeaths: earlier });
    const next = await probe(bench, "rejected", "dead");
    expect(next).toMatchObject({ to: "stopped", end: { kind: "stopped" } });
    expect(bench.store.record()).toMatchObject({
      intent: null,
      unexplainedDeaths: [...earlier, new Date(bench.clock.now())],
      stopped: { at: new Date(bench.clock.now()) },
    });
    expect(bench.store.record().token?.reveal()).toBe("token-1");
    expect(bench.told).toEqual(["probed token-1 dead", "death 4", "alarm latched"]);
  });

  it("does not count those of more than a day ago, and forgets them", async () => {
    const bench = createRenewalBench();
    bench.store.put({ unexplainedDeaths: ago(bench, 2, 1, 24 * 60, 24 * 60, 24 * 60, 24 * 60, 24 * 60) });
    const next = await probe(bench, "rejected", "dead");
    expect(next).toHaveProperty("deaths.length", 3);
  });

  it("is judged again where the alarm's write was refused", async () => {
    const bench = createRenewalBench();
    bench.store.put({ unexplainedDeaths: ago(bench, 9, 6, 3) });
    bench.store.beforeWrite(() => bench.store.put({ unexplainedDeaths: [] }));
    expect(await probe(bench, "rejected", "dead")).toEqual({ to: "reading" });
    expect(bench.store.record().stopped).toBeNull();
    expect(bench.told).not.toContain("alarm latched");
  });

  it("issues nothing either where it is not known whether the alarm was written", async () => {
    const bench = createRenewalBench();
    bench.store.put({ unexplainedDeaths: ago(bench, 9, 6, 3) });
    bench.store.script("lost");
    expect(endOf(await probe(bench, "rejected", "dead"))).toMatchObject({ kind: "unreachable" });
  });
});

describe("R2: dates are compared by Presto's clock, which all hosts share", () => {
  const hostsApartMs = 3 * 3_600_000;

  it.each([hostsApartMs, -hostsApartMs])(
    "so a host that is %i ms off counts another's deaths",
    async (ms) => {
      const bench = createRenewalBench();
      bench.store.put({ unexplainedDeaths: ago(bench, 9, 6, 3) });
      bench.clock.setWall(ms);
      bench.knobs.prestoAheadMs = -ms;
      expect(await probe(bench, "rejected", "dead")).toMatchObject({ to: "stopped" });
      expect(bench.store.record().unexplainedDeaths.at(-1)).toEqual(new Date(bench.clock.now() - ms));
    },
  );

  it("and a token that ends soon there proves nothing by its death, nor counts as one", async () => {
    const bench = createRenewalBench();
    bench.knobs.prestoAheadMs = hostsApartMs;
    bench.store.put({ expiresAt: new Date(bench.clock.now() + hostsApartMs + 60_000) });
    expect(await probe(bench, "scheduled", "alive")).toMatchObject({ soleCall: false });
    bench.store.put({ expiresAt: new Date(bench.clock.now() + hostsApartMs) });
    expect(await probe(bench, "rejected", "dead")).not.toHaveProperty("deaths");
  });
});

describe("R2: an answer that tells nothing", () => {
  it.each(["scheduled", "manual", "rejected"] as const)(
    "begins nothing (%s): outages lose answers",
    async (reason) => {
      const bench = createRenewalBench();
      expect(endOf(await probe(bench, reason, "unclear"))).toMatchObject({ kind: "unreachable" });
      expect(bench.store.written).toEqual([]);
    },
  );

  it("is not even asked for from an address that is not registered", async () => {
    const bench = createRenewalBench();
    bench.knobs.mayLeave = false;
    expect(endOf(await probe(bench, "scheduled", "alive"))).toMatchObject({ kind: "unreachable" });
    expect(bench.trail).toEqual(["read"]);
  });

  it.each([
    { name: "a day before its end", left: dayMs, to: "intending" },
    { name: "after its end", left: -1, to: "intending" },
    { name: "more than a day before its end", left: dayMs + 1, to: "idle" },
  ])("does not keep a token from being renewed $name: $to", async ({ left, to }) => {
    const bench = createRenewalBench();
    bench.store.put({ expiresAt: new Date(bench.clock.now() + left) });
    const next = await probe(bench, "scheduled", "unclear");
    expect(next.to).toBe(to);
    if (next.to === "intending") expect(next.soleCall).toBe(false);
  });

  it("keeps one whose end is not known", async () => {
    const bench = createRenewalBench({ stored: { expiresAt: null } });
    expect(await probe(bench, "manual", "unclear")).toMatchObject({ to: "idle" });
  });
});

describe("R2: a probe that hangs", () => {
  it("does not keep a process that is asked to end from ending", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", new Promise(() => {}));
    const next = probe(bench, "scheduled");
    await settled();
    bench.draining.abort();
    expect(endOf(await next)).toEqual({ kind: "shut-down" });
    expect(bench.told).toEqual([]);
  });
});

describe("R2: without a password that may work nothing is begun", () => {
  it("says that Presto refused all, and asks nobody", async () => {
    const bench = createRenewalBench();
    const account = await bench.deps.accounts.next();
    if (account !== undefined) bench.deps.accounts.refused(account);
    expect(endOf(await probe(bench, "scheduled", "alive"))).toMatchObject({
      kind: "refused",
      credentials: true,
    });
    expect(bench.trail).toEqual(["read"]);
  });

  it.each([
    {
      name: "are not there",
      break: (bench: RenewalBench) => bench.credentials.put(undefined),
      says: "no credentials",
    },
    {
      name: "can't be read",
      break: (bench: RenewalBench) => bench.credentials.fail(true),
      says: "can't be read",
    },
  ])("says so where they $name", async ({ break: breakThem, says }) => {
    const bench = createRenewalBench();
    breakThem(bench);
    const end = endOf(await probe(bench, "scheduled", "alive"));
    expect(end).toMatchObject({ kind: "unreachable", detail: expect.stringContaining(says) });
  });
});

describe("R2: a token that seems dead and is young", () => {
  const young = (bench: RenewalBench): void => {
    bench.store.put({ issuedAt: new Date(bench.clock.now() - 12_000) });
    bench.presto.says("token-1", "young");
  };

  it.each(["rejected", "manual", "scheduled"] as const)("is not replaced yet (%s)", async (reason) => {
    const bench = createRenewalBench();
    young(bench);
    const end = endOf(await probe(bench, reason));
    const at = new Date(bench.clock.now() + 18_000).toISOString();
    expect(end).toMatchObject({ kind: "young-token", nextLookMs: 18_000 });
    expect(end).toHaveProperty("detail", expect.stringContaining(at));
    expect(bench.store.written).toEqual([]);
    expect(bench.told).toEqual(["probed token-1 unclear"]);
  });

  it("is replaced where a person forces it", async () => {
    const bench = createRenewalBench();
    young(bench);
    const run = await bench.at(wishBeyond("token-1", true));
    const next = await probing(run, { to: "probing", found: await bench.store.read(), reason: "manual" });
    expect(next).toMatchObject({ to: "intending", soleCall: false });
  });
});

describe("R2: a Presto that looks for the record before the token", () => {
  it.each(["scheduled", "manual"] as const)(
    "lets a call of late prove that the token lives, and nothing by its death (%s)",
    async (reason) => {
      const next = await probe(createRenewalBench(), reason, "alive-lately");
      expect(next).toMatchObject({ to: "intending", reason, soleCall: false });
    },
  );

  it("and a report is false then", async () => {
    const next = await probe(createRenewalBench(), "rejected", "alive-lately");
    expect(endOf(next)).toMatchObject({ kind: "nothing-to-do" });
  });

  it("is no outage to a person", async () => {
    const next = await probe(createRenewalBench(), "manual", "blind");
    expect(next).toMatchObject({ to: "intending", soleCall: false });
  });

  it.each(["scheduled", "rejected"] as const)("begins nothing by itself (%s)", async (reason) => {
    expect(endOf(await probe(createRenewalBench(), reason, "blind"))).toMatchObject({ kind: "unreachable" });
  });
});

describe("R2: a token that was due again as soon as it was issued", () => {
  it.each([
    {
      name: "by Presto's clock it is not due: ours is wrong, and nothing is issued",
      dueAtPresto: false,
      to: "idle",
    },
    {
      name: "by Presto's clock it is due, too: by now its time has come",
      dueAtPresto: true,
      to: "intending",
    },
  ])("$name", async ({ dueAtPresto, to }) => {
    const bench = createRenewalBench({ stored: { dueWhenIssued: true } });
    bench.knobs.due = true;
    bench.presto.says("token-1", "alive");
    const run = await bench.at();
    const isDue = (): boolean => dueAtPresto;
    const next = await probing(
      { ...run, deps: { ...run.deps, isDue } },
      { to: "probing", found: bench.store.current(), reason: "scheduled" },
    );
    expect(next).toMatchObject({ to });
    expect(bench.told).toEqual(
      dueAtPresto ? ["probed token-1 alive"] : ["probed token-1 alive", "clock wrong"],
    );
  });

  it("is issued by plan once where that is not known, and for a person whatever the clocks say", async () => {
    for (const { dueWhenIssued, reason } of [
      { dueWhenIssued: false, reason: "scheduled" },
      { dueWhenIssued: true, reason: "manual" },
    ] as const) {
      const bench = createRenewalBench({ stored: { dueWhenIssued } });
      bench.presto.says("token-1", "alive");
      const found = bench.store.current();
      expect(await probing(await bench.at(), { to: "probing", found, reason })).toMatchObject({
        to: "intending",
      });
    }
  });
});
