import { describe, expect, it } from "vitest";

import { intending } from "../../../src/renewal/intending.ts";
import type { NextState } from "../../../src/renewal/run.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy } from "../../support/renewal-cases.ts";

type Intending = Extract<NextState, { to: "intending" }>;

function scheduled({ store }: RenewalBench, more: Partial<Intending> = {}): Intending {
  return { to: "intending", found: store.current(), reason: "scheduled", soleCall: true, ...more };
}

describe("R3: the intent is written by compare-and-set before anything is revoked", () => {
  it("says who, why and when, under an id of its own, and leads to R5", async () => {
    const bench = createRenewalBench();
    const next = await intending(await bench.at(), scheduled(bench));
    const intent = {
      id: "id-1",
      holder: "this-process",
      soleCall: true,
      reason: "scheduled",
      at: new Date(bench.clock.now()),
    };
    const written = bench.store.current();
    expect(written?.record).toMatchObject({
      intent,
      generation: 1,
      writtenBy: { holder: "this-process", lock: "scripted lock" },
    });
    expect(written?.record.token?.reveal()).toBe("token-1");
    expect(next).toEqual({ to: "checking", standing: { intent, ...written } });
    expect(bench.trail).toEqual(["write", "notice"]);
  });

  it("creates the record where there was none, and only if that is still so", async () => {
    const bench = createRenewalBench({ stored: null });
    await intending(await bench.at(), scheduled(bench, { soleCall: false }));
    expect(bench.store.record()).toMatchObject({
      schema: 1,
      generation: 0,
      token: null,
      intent: { id: "id-1" },
    });

    const late = createRenewalBench({ stored: null });
    const begun = scheduled(late);
    late.store.put({ generation: 7 });
    expect(await intending(await late.at(), begun)).toEqual({ to: "reading" });
    expect(late.store.record()).toMatchObject({ generation: 7, intent: null });
  });

  it("has a new id for each call", async () => {
    const bench = createRenewalBench();
    const run = await bench.at();
    await intending(run, scheduled(bench));
    await intending(run, scheduled(bench, { soleCall: false }));
    expect(bench.store.written.map(({ intent }) => intent?.id)).toEqual(["id-1", "id-2"]);
  });

  it("goes over an intent that was found, and leads to R4 with what is known of that one's call", async () => {
    for (const soleCall of [true, false]) {
      const bench = createRenewalBench({ stored: { intent: intentBy("another", { soleCall }) } });
      const next = await intending(
        await bench.at(),
        scheduled(bench, { reason: "takeover", soleCall: false, takenOver: { soleCall } }),
      );
      expect(next).toMatchObject({
        to: "settling",
        standing: { intent: { id: "id-1", soleCall: false, reason: "takeover" } },
        call: { soleCall, givenUpAt: bench.clock.monotonic() },
        underThisIntent: false,
      });
      expect(bench.store.record().intent).toMatchObject({ holder: "this-process", soleCall: false });
    }
  });

  it("leads back to R1 where somebody else has written since", async () => {
    const bench = createRenewalBench();
    const begun = scheduled(bench);
    bench.store.put({ intent: intentBy("another") });
    expect(await intending(await bench.at(), begun)).toEqual({ to: "reading" });
    expect(bench.store.record().intent?.holder).toBe("another");
  });

  it("counts a death in the same write, and tells of it once it stands", async () => {
    const bench = createRenewalBench();
    const run = await bench.at();
    const deaths = [new Date(1), new Date(2)];
    bench.store.script("refused");
    await intending(run, scheduled(bench, { reason: "rejected", soleCall: false, deaths }));
    expect(bench.told).toEqual([]);
    expect(run.memory.accountedFor).toBeUndefined();
    await intending(run, scheduled(bench, { reason: "rejected", soleCall: false, deaths }));
    expect(bench.store.written.map(({ unexplainedDeaths }) => unexplainedDeaths)).toEqual([deaths]);
    expect(bench.store.record().lastDeath).toBe(idOf("token-1"));
    expect(bench.told).toEqual(["death 2"]);
    expect(run.memory.accountedFor).toBe(idOf("token-1"));
  });

  it("keeps the deaths that stand in the record where none is added", async () => {
    const bench = createRenewalBench({ stored: { unexplainedDeaths: [new Date(1)] } });
    await intending(await bench.at(), scheduled(bench));
    expect(bench.store.record().unexplainedDeaths).toEqual([new Date(1)]);
  });
});

describe("R3: a write without an answer is read again, never assumed", () => {
  it("and was applied: R4, nothing is concluded from a dead token, and no call is made under it", async () => {
    const bench = createRenewalBench();
    bench.store.script("lost-but-applied");
    const next = await intending(await bench.at(), scheduled(bench));
    expect(next).toMatchObject({
      to: "settling",
      standing: { intent: { id: "id-1" }, version: bench.store.current()?.version },
      call: { soleCall: false },
      underThisIntent: true,
    });
  });

  it.each([
    { name: "and was not", meanwhile: () => {} },
    {
      name: "and somebody else's intent stands instead",
      meanwhile: (bench: RenewalBench) => bench.store.put({ intent: intentBy("another") }),
    },
  ])(
    "$name: nothing was begun, and R1 comes again after a pause, with the store's words told",
    async ({ meanwhile }) => {
      const bench = createRenewalBench();
      bench.store.script("lost");
      bench.store.beforeRead(() => void meanwhile(bench));
      const next = await intending(await bench.at(), scheduled(bench));
      expect(next).toMatchObject({
        to: "idle",
        end: { kind: "unreachable", detail: expect.stringContaining("The scripted store did not answer.") },
      });
    },
  );

  it("for as long as it takes, ever more slowly", async () => {
    const bench = createRenewalBench();
    bench.store.script("lost-but-applied");
    bench.store.failReads(9);
    const next = intending(await bench.at(), scheduled(bench));
    await bench.clock.advance(100 + 200 + 400 + 800 + 1_600 + 3_200 + 5_000 + 4_999);
    expect(bench.trail.filter((step) => step === "read")).toEqual([]);
    await bench.clock.advance(1);
    expect(await next).toMatchObject({ to: "settling" });
  });

  it("unless the process is asked to end: the next one finds what stands there", async () => {
    const bench = createRenewalBench();
    bench.store.script("lost-but-applied");
    bench.store.failReads(1_000);
    const next = intending(await bench.at(), scheduled(bench));
    await bench.clock.advance(1_000);
    bench.draining.abort(new Error("asked to end"));
    await expect(next).rejects.toThrow("asked to end");
  });
});

describe("R3: a store that is too slow to be relied on gets no issue call", () => {
  /** The next write needs so long. */
  function slow(bench: RenewalBench, ms: number): void {
    bench.store.beforeWrite(() => bench.clock.skip(ms));
  }

  it.each([
    { ms: 5_000, to: "checking" },
    { ms: 5_001, to: "clearing" },
  ])("a write of $ms ms leads to $to", async ({ ms, to }) => {
    const bench = createRenewalBench();
    slow(bench, ms);
    const next = await intending(await bench.at(), scheduled(bench));
    expect(next).toMatchObject({ to });
  });

  it("an intent taken over by one is settled, but no call is made under it", async () => {
    const bench = createRenewalBench({ stored: { intent: intentBy("another") } });
    slow(bench, 5_001);
    const state = scheduled(bench, { reason: "takeover", soleCall: false, takenOver: { soleCall: true } });
    expect(await intending(await bench.at(), state)).toMatchObject({ to: "settling", underThisIntent: true });
  });

  it("tells why, where the record can't be read either", async () => {
    const bench = createRenewalBench();
    bench.store.script("lost-but-applied");
    bench.store.failReads(1);
    const next = intending(await bench.at(), scheduled(bench));
    await bench.clock.advance(1_000);
    expect(await next).toMatchObject({ to: "settling" });
    expect(bench.told).toEqual([expect.stringContaining("can't be read to find out")]);
  });
});
