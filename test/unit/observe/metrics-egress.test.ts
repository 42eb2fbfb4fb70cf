import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import type { EgressReport } from "../../../src/egress-ip/observed.ts";
import { type Exposition, parseExposition } from "../../support/parse-exposition.ts";
import { openMetrics } from "./open-metrics.ts";

const now = Date.UTC(2026, 10, 24);
const unknown: EgressReport = {
  addresses: [],
  registered: null,
  closed: null,
  verdict: "unknown",
  evidence: [],
  checkedAt: null,
  checkUrls: [],
};

function newMetrics(report?: EgressReport) {
  const metrics = openMetrics({ clock: { ...systemClock, now: () => now } });
  metrics.measure({
    load: () => ({ inFlight: 0, queued: 0, buffered: 0 }),
    logLinesLost: () => 0,
    ...(report === undefined ? {} : { egress: () => report }),
  });
  return {
    count: metrics.count,
    read: async (): Promise<Exposition> => parseExposition(await metrics.text()),
  };
}

describe("the metrics of egress", () => {
  it("are absent, not zero, while nothing is known", async () => {
    const { value } = await newMetrics(unknown).read();
    expect(value("presto_sidecar_egress_registered")).toBeUndefined();
    expect(value("presto_sidecar_egress_check_timestamp_seconds")).toBeUndefined();
    expect(value("presto_sidecar_egress_closed")).toBe(0);
  });

  it("say whether the address is registered, whether calls are kept back, and the verdict", async () => {
    const { value } = await newMetrics({
      ...unknown,
      registered: false,
      closed: "why",
      verdict: "not-registered",
      checkedAt: new Date(now - 90_000),
    }).read();
    expect(value("presto_sidecar_egress_registered")).toBe(0);
    expect(value("presto_sidecar_egress_closed")).toBe(1);
    expect(value("presto_sidecar_egress_check_timestamp_seconds")).toBe((now - 90_000) / 1000);
    expect(value("presto_sidecar_egress_verdict", { verdict: "not-registered" })).toBe(1);
    expect(value("presto_sidecar_egress_verdict", { verdict: "registered" })).toBe(0);
  });

  it("count the questions to each check URL, from zero on", async () => {
    const checkUrls = [{ host: "ip.example", ok: null, address: null, error: null }];
    const { count, read } = newMetrics({ ...unknown, checkUrls });
    const name = "presto_sidecar_egress_checks_total";
    expect((await read()).value(name, { check_url: "ip.example", end: "failed" })).toBe(0);
    const check = { name: "ip.example", address: undefined, changed: false };
    count({ type: "egress-checked", ...check, error: new Error("x") });
    count({ type: "egress-checked", ...check, error: undefined });
    count({ type: "egress-checked", ...check, error: undefined });
    const { value } = await read();
    expect(value(name, { check_url: "ip.example", end: "failed" })).toBe(1);
    expect(value(name, { check_url: "ip.example", end: "answered" })).toBe(2);
  });

  it("count how often calls began to be kept back, once where only the reason changes", async () => {
    const { count, read } = newMetrics(unknown);
    for (const reason of ["a", "b", undefined, "a"]) count({ type: "egress-latch-changed", reason: reason });
    expect((await read()).value("presto_sidecar_egress_closures_total")).toBe(2);
  });
});
