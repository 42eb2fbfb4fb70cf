import { describe, expect, it } from "vitest";

import { createEgressBench, home, strange } from "../../support/egress-bench.ts";

describe("one check URL that sees an address that is not registered", () => {
  it("stops nothing by itself, when Presto's door tells nothing", async () => {
    const { check, asked } = createEgressBench({ says: [strange] });
    await check.start();
    expect([check.mayLeave(), asked.knocks]).toEqual([true, 1]);
  });

  it("stops nothing when Presto's application answers at its door", async () => {
    const bench = createEgressBench({ says: [strange, home] });
    bench.door = "app-refused";
    await bench.check.start();
    bench.answer(403);
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.latch).toEqual([]);
    expect(bench.check.report().evidence.join(" ")).toContain("answers all the same");
  });

  it.each(["forbidden", "block-page", "reset"] as const)(
    "stops calls when Presto's door shows %s",
    async (door) => {
      const bench = createEgressBench({ says: [strange] });
      bench.door = door;
      await bench.check.start();
      expect(bench.check.mayLeave()).toBe(false);
      expect(bench.latch).toEqual([expect.stringContaining(strange)]);
    },
  );

  it.each([
    ["a 403", 403, "json"],
    ["a block page", 200, "page"],
  ] as const)("stops calls when one of them met %s", async (_what, status, shape) => {
    const bench = createEgressBench({ says: [strange] });
    await bench.check.start();
    bench.answer(status, shape);
    expect(bench.check.mayLeave()).toBe(false);
  });

  it("stops calls when a connection was reset", async () => {
    const bench = createEgressBench({ says: [strange] });
    await bench.check.start();
    bench.reset();
    expect(bench.check.mayLeave()).toBe(false);
  });

  it("does not stop calls, not even for a moment, where one was turned away and Presto's door is open", async () => {
    const bench = createEgressBench({ askMs: 40 });
    void bench.check.start();
    await bench.clock.advance(20_000);
    bench.says = [strange, home];
    bench.door = "app-refused";
    bench.answer(403);
    await bench.clock.advance(1_000);
    expect(bench.asked).toMatchObject({ checks: 4, knocks: 1 });
    expect(bench.latch).toEqual([]);
  });

  it.each([500, 502, 401, 404, 429, 200])("does not stop calls for %i", async (status) => {
    const bench = createEgressBench({ says: [strange] });
    await bench.check.start();
    for (let call = 0; call < 20; call += 1) bench.answer(status);
    expect(bench.check.mayLeave()).toBe(true);
  });
});

describe("two check URLs that agree on an address that is not registered", () => {
  it("stop calls, and readiness says why", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    await bench.check.start();
    expect(bench.check.mayLeave()).toBe(false);
    expect(bench.check.blockedReason()).toContain(`leave from ${strange}, which is not in PRESTO_EGRESS_IPS`);
    expect(bench.latch).toEqual([bench.check.blockedReason()]);
    expect(bench.check.report()).toMatchObject({ registered: false, verdict: "not-registered" });
  });

  it.each([
    ["200 in JSON", "accepted"],
    ["401", "app-refused"],
    ["429", "rate-limited"],
  ] as const)("are overruled by %s of Presto's application, for good", async (_what, door) => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = door;
    await bench.check.start();
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.check.report().verdict).toBe("registered");
    const before = bench.latch.length;
    await bench.clock.advance(3_600_000);
    expect(bench.latch.length).toBe(before);
    expect(bench.check.mayLeave()).toBe(true);
  });

  it("are not even heard where calls that were sent since are answered", async () => {
    const bench = createEgressBench({ says: [strange, strange], askMs: 100 });
    const first = bench.check.start();
    await bench.clock.advance(50);
    bench.answer(200);
    await bench.clock.advance(150);
    await first;
    expect(bench.latch).toEqual([]);
  });

  it("are not overruled by the answer to a call that was sent before", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    const sentAt = bench.clock.monotonic();
    await bench.clock.advance(10);
    await bench.check.start();
    bench.check.answered({ status: 200, headers: [], body: Buffer.from("{}") }, sentAt);
    expect(bench.check.mayLeave()).toBe(false);
  });

  it("are believed once Presto, which had contradicted them, turns calls away", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = "app-refused";
    await bench.check.start();
    await bench.clock.advance(1_000);
    for (let call = 0; call < 4; call += 1) bench.answer(403);
    expect(bench.check.mayLeave()).toBe(true);
    bench.answer(403);
    expect(bench.check.mayLeave()).toBe(false);
  });
});

describe("calls that are kept back", () => {
  it("leave again when the check URLs see the registered address", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = "forbidden";
    await bench.check.start();
    bench.says = [home, home];
    await bench.clock.advance(16_000);
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.latch.at(-1)).toBeUndefined();
    expect(bench.check.report().verdict).toBe("registered");
  });

  it("leave again when Presto's application answers, whatever the check URLs see", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = "block-page";
    await bench.check.start();
    await bench.clock.advance(60_000);
    expect(bench.check.mayLeave()).toBe(false);
    bench.door = "app-refused";
    await bench.clock.advance(16_000);
    expect(bench.check.mayLeave()).toBe(true);
  });

  it("are not let go because the check URLs are down", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = "forbidden";
    await bench.check.start();
    bench.says = [undefined, undefined];
    await bench.clock.advance(120_000);
    expect(bench.check.mayLeave()).toBe(false);
    expect(bench.check.blockedReason()).toContain(strange);
    bench.door = "app-refused";
    await bench.clock.advance(30_000);
    expect(bench.check.mayLeave()).toBe(true);
  });

  it("are told of the address that it is now", async () => {
    const bench = createEgressBench({ says: [strange, strange] });
    bench.door = "forbidden";
    await bench.check.start();
    bench.says = ["198.51.100.10", "198.51.100.10"];
    await bench.clock.advance(16_000);
    expect(bench.check.blockedReason()).toContain("198.51.100.10");
    expect(bench.latch.at(-1)).toContain("198.51.100.10");
  });
});

describe("nothing is ever kept back", () => {
  it("while every check URL is down, whatever Presto does", async () => {
    const bench = createEgressBench({ says: [undefined, undefined] });
    await bench.check.start();
    for (let call = 0; call < 50; call += 1) bench.answer(403);
    await bench.clock.advance(600_000);
    expect(bench.latch).toEqual([]);
    expect(bench.check.report().verdict).toBe("unknown");
  });

  it("without a check URL", async () => {
    const bench = createEgressBench({ says: [] });
    await bench.check.start();
    for (let call = 0; call < 50; call += 1) bench.answer(403, "page");
    await bench.clock.advance(60_000);
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.asked).toEqual({ checks: 0, knocks: 0 });
    expect(bench.check.report()).toMatchObject({ registered: null, verdict: "not-registered" });
  });

  it("without registered addresses: what is seen is shown", async () => {
    const bench = createEgressBench({ says: [strange, strange], ips: [] });
    bench.door = "forbidden";
    await bench.check.start();
    bench.answer(403);
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.check.report()).toMatchObject({ addresses: [strange], registered: null });
    expect(bench.asked.knocks).toBe(0);
  });

  it("for an address of a version of IP that none of the registered ones has", async () => {
    const bench = createEgressBench({ says: ["2001:db8::1", "2001:db8::1"] });
    await bench.check.start();
    expect(bench.check.mayLeave()).toBe(true);
    expect(bench.check.report()).toMatchObject({ addresses: ["2001:db8::1"], registered: null });
  });
});
