import { describe, expect, it } from "vitest";

import { ConnectError } from "../../../src/connect/errors.ts";
import { Problem } from "../../../src/errors.ts";
import { createEgressBench, home, strange } from "../../support/egress-bench.ts";

describe("calls that begin to fail", () => {
  it("have the check URLs asked at once, and are kept back as soon as these have answered", async () => {
    const bench = createEgressBench({ askMs: 40 });
    const first = bench.check.start();
    await bench.clock.advance(40);
    await first;
    bench.answer(200);
    await bench.clock.advance(20_000);
    bench.says = [strange, strange];
    bench.answer(403);
    await bench.clock.advance(40);
    expect(bench.check.mayLeave()).toBe(false);
    expect(bench.asked.checks).toBe(4);
  });

  it("do not have them asked for a single one among those that are let in", async () => {
    const bench = createEgressBench();
    await bench.check.start();
    for (let second = 0; second < 200; second += 1) {
      bench.answer(second % 10 === 5 ? 403 : 200);
      await bench.clock.advance(1_000);
    }
    expect(bench.asked.checks).toBe(2);
  });

  it("have them asked when they time out, too", async () => {
    const bench = createEgressBench();
    await bench.check.start();
    await bench.clock.advance(20_000);
    bench.check.failed(new Error("tells nothing"));
    await bench.clock.advance(0);
    expect(bench.asked.checks).toBe(2);
    bench.check.failed(new Problem("upstream-timeout", { detail: "x" }));
    await bench.clock.advance(0);
    expect(bench.asked.checks).toBe(4);
  });
});

describe("a connection that could not be made", () => {
  it("counts once: the connector tells of it, and the call that wanted it does not", async () => {
    const bench = createEgressBench();
    const cause = new ConnectError("unreachable", "x", "connection_terminated");
    bench.check.connectFailed(cause);
    bench.check.failed(cause);
    bench.check.failed(new Problem("upstream-unreachable", { detail: "x", cause }));
    expect(bench.check.report().evidence.join(" ")).toContain("1 of the last 1 exchanges");
  });
});

describe("what is told", () => {
  it("is each change once", async () => {
    const bench = createEgressBench({ says: [strange, undefined] });
    await bench.check.start();
    await bench.clock.advance(1_500_000);
    const types = bench.told.map(({ type }) => type);
    expect(types.filter((type) => type === "egress-address-seen")).toHaveLength(1);
    expect(types.filter((type) => type === "egress-latch-changed")).toHaveLength(0);
    const changed = bench.told.filter((event) => event.type === "egress-checked" && event.changed);
    expect(changed).toHaveLength(2);
  });

  it("is shown on the report, check URL by check URL", async () => {
    const bench = createEgressBench({ says: [home, undefined] });
    expect(bench.check.report()).toMatchObject({
      checkedAt: null,
      verdict: "unknown",
      checkUrls: [
        { host: "check-1.example", ok: null },
        { host: "check-2.example", ok: null },
      ],
    });
    await bench.check.start();
    expect(bench.check.report()).toMatchObject({
      addresses: [home],
      registered: true,
      closed: null,
      checkedAt: new Date(bench.clock.now()),
      checkUrls: [
        { host: "check-1.example", ok: true, address: home, error: null },
        { host: "check-2.example", ok: false, address: null, error: "it is down" },
      ],
    });
  });
});

describe("a token that a probe found dead", () => {
  it("is the verdict, until a call is accepted", async () => {
    const bench = createEgressBench();
    await bench.check.start();
    bench.check.probed("alive");
    bench.check.probed("unclear");
    expect(bench.check.report().verdict).toBe("registered");
    bench.check.probed("dead");
    expect(bench.check.report().verdict).toBe("dead-token");
    bench.answer(200);
    expect(bench.check.report().verdict).toBe("registered");
  });

  it("is not concluded from a 401 to a call that did not carry it", async () => {
    const bench = createEgressBench();
    await bench.check.start();
    const answer = { status: 401, headers: [], body: Buffer.from('{"message":"x"}') };
    for (let call = 0; call < 9; call += 1) bench.check.ownCallAnswered(answer, bench.clock.monotonic());
    expect(bench.check.report().verdict).toBe("registered");
  });
});
