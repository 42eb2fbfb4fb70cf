import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { ConnectError } from "../../../src/connect/errors.ts";
import { createLastSeen } from "../../../src/observe/last-seen.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { finishedCall } from "../../support/finished-call.ts";
import { type Exposition, parseExposition } from "../../support/parse-exposition.ts";
import { openMetrics } from "./open-metrics.ts";

const day = 24 * 60 * 60 * 1000;
function newMetrics() {
  const lastSeen = createLastSeen({ ...systemClock, now: () => 10 * day });
  const metrics = openMetrics({ operations: ["wallet.init", "wallet.confirm"], lastSeen, startedAt: 5000 });
  return { metrics, lastSeen, read: async (): Promise<Exposition> => parseExposition(await metrics.text()) };
}

describe("the metrics", () => {
  it("are well-formed Prometheus text, each named presto_sidecar_* or process_*, each with a help line", async () => {
    const { metrics, read } = newMetrics();
    metrics.count(finishedCall());
    metrics.count({ type: "latch-changed", name: "token", reason: "none", ready: false });
    const { families } = await read();
    expect(families.size).toBeGreaterThan(20);
    for (const [name, { help }] of families) {
      expect(name).toMatch(/^(presto_sidecar|process)_[a-z0-9_]+$/);
      expect(help).toMatch(/\w.*\.$/);
    }
    expect(metrics.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  });

  it("count calls by operation, status and outcome, and their times in seconds", async () => {
    const { metrics, read } = newMetrics();
    metrics.count(finishedCall({ totalMs: 30, upstreamMs: 20 }));
    metrics.count(finishedCall({ totalMs: 700, upstreamMs: 20 }));
    metrics.count(
      finishedCall({ operation: "wallet.confirm", status: 502, outcome: "unknown", code: "upstream-broken" }),
    );
    const { value } = await read();
    const init = { operation: "wallet.init", status: "200", outcome: "answered" };
    expect(value("presto_sidecar_calls_total", init)).toBe(2);
    expect(
      value("presto_sidecar_calls_total", { operation: "wallet.confirm", status: "502", outcome: "unknown" }),
    ).toBe(1);
    expect(value("presto_sidecar_call_duration_seconds_count", init)).toBe(2);
    expect(value("presto_sidecar_call_duration_seconds_sum", init)).toBeCloseTo(0.73);
    expect(value("presto_sidecar_call_duration_seconds_bucket", { ...init, le: "0.025" })).toBe(0);
    expect(value("presto_sidecar_call_duration_seconds_bucket", { ...init, le: "0.05" })).toBe(1);
    expect(value("presto_sidecar_call_duration_seconds_bucket", { ...init, le: "+Inf" })).toBe(2);
    expect(value("presto_sidecar_upstream_duration_seconds_sum", { operation: "wallet.init" })).toBeCloseTo(
      0.04,
    );
    expect(value("presto_sidecar_problems_total", { code: "upstream-broken" })).toBe(1);
    expect(value("presto_sidecar_problems_total", { code: "no-token" })).toBe(0);
  });

  it("have calls that fail at zero before the first one, for each operation", async () => {
    const { value } = await newMetrics().read();
    for (const operation of ["wallet.init", "wallet.confirm"]) {
      for (const [status, outcome] of [
        ["200", "answered"],
        ["500", "answered"],
        ["502", "unknown"],
        ["504", "unknown"],
        ["503", "not-sent"],
      ] as const)
        expect(value("presto_sidecar_calls_total", { operation, status, outcome })).toBe(0);
    }
  });

  it("count sends, callers that went away, and no time with Presto for a call that was not sent", async () => {
    const { metrics, read } = newMetrics();
    metrics.count(finishedCall({ sends: 3 }));
    metrics.count(finishedCall({ sends: 0, status: 0, outcome: "not-sent", callerGone: true }));
    const { value } = await read();
    expect(value("presto_sidecar_sends_total")).toBe(3);
    expect(value("presto_sidecar_callers_gone_total")).toBe(1);
    expect(value("presto_sidecar_upstream_duration_seconds_count", { operation: "wallet.init" })).toBe(1);
    expect(
      value("presto_sidecar_calls_total", { operation: "wallet.init", status: "0", outcome: "not-sent" }),
    ).toBe(1);
  });

  it("stay bounded whatever operations, statuses and codes are told", async () => {
    const { metrics, read } = newMetrics();
    for (let i = 0; i < 2000; i++) {
      metrics.count(finishedCall({ operation: `made-up-${i}`, status: i, code: `made-up-${i}` }));
    }
    const { families } = await read();
    const calls = (families.get("presto_sidecar_calls_total")?.samples ?? []).filter(
      ({ value }) => value > 0,
    );
    expect(calls.length).toBeLessThan(70);
    expect(new Set(calls.map(({ labels }) => labels["operation"]))).toEqual(new Set(["none"]));
    expect(calls.reduce((sum, { value }) => sum + value, 0)).toBe(2000);
    const problems = families.get("presto_sidecar_problems_total")?.samples ?? [];
    expect(problems.length).toBeLessThan(30);
    expect(problems.find(({ labels }) => labels["code"] === "other")?.value).toBe(2000);
  });

  it("count what befalls the token, the store and connections", async () => {
    const { metrics, read } = newMetrics();
    metrics.count({ type: "token-changed", generation: 1, id: "a", expiresAt: null });
    metrics.count({ type: "token-rejected", generation: 1, id: "a" });
    metrics.count({ type: "token-rejected", generation: 1, id: "a" });
    metrics.count({ type: "store-failed", error: new StoreError("damaged", "x") });
    metrics.count({ type: "store-failed", error: new Error("x") });
    metrics.count({
      type: "connect-failed",
      error: new ConnectError("unreachable", "x", "connection_refused"),
    });
    metrics.count({ type: "warning", message: "x" });
    const { value } = await read();
    expect(value("presto_sidecar_token_changes_total")).toBe(1);
    expect(value("presto_sidecar_token_rejections_total")).toBe(2);
    expect(value("presto_sidecar_store_failures_total", { code: "damaged" })).toBe(1);
    expect(value("presto_sidecar_store_failures_total", { code: "other" })).toBe(1);
    expect(value("presto_sidecar_store_failures_total", { code: "wrong-key" })).toBe(0);
    expect(value("presto_sidecar_connect_failures_total")).toBe(1);
    expect(value("presto_sidecar_warnings_total")).toBe(1);
  });

  it("leave out what is not known yet, rather than say zero", async () => {
    const { read } = newMetrics();
    const { value } = await read();
    for (const name of [
      "token_generation",
      "token_expiry_timestamp_seconds",
      "certificate_expiry_timestamp_seconds",
      "in_flight_calls",
      "queued_calls",
      "buffered_bytes",
    ]) {
      expect(value(`presto_sidecar_${name}`)).toBeUndefined();
    }
  });

  it("show the present: load, lost log lines, token, certificate, latches, versions", async () => {
    const { metrics, lastSeen, read } = newMetrics();
    let queued = 7;
    let watch: "live" | "down" | null = "live";
    metrics.measure({
      load: () => ({ inFlight: 2, queued, buffered: 4096 }),
      logLinesLost: () => 5,
      store: () => ({ readAt: null, failure: null, absence: null, watch }),
    });
    lastSeen.note({ type: "token-changed", generation: 9, id: "a", expiresAt: new Date(11 * day) });
    lastSeen.note({ type: "peer-certificate", validTo: new Date(40 * day) });
    metrics.count({ type: "latch-changed", name: "token", reason: "none", ready: false });
    metrics.count({ type: "latch-changed", name: "started", reason: undefined, ready: false });
    const { value } = await read();
    expect(value("presto_sidecar_in_flight_calls")).toBe(2);
    expect(value("presto_sidecar_queued_calls")).toBe(7);
    expect(value("presto_sidecar_buffered_bytes")).toBe(4096);
    expect(value("presto_sidecar_log_lines_lost_total")).toBe(5);
    expect(value("presto_sidecar_token_generation")).toBe(9);
    expect(value("presto_sidecar_token_expiry_timestamp_seconds")).toBe((11 * day) / 1000);
    expect(value("presto_sidecar_certificate_expiry_timestamp_seconds")).toBe((40 * day) / 1000);
    expect(value("presto_sidecar_latch_closed", { latch: "token" })).toBe(1);
    expect(value("presto_sidecar_latch_closed", { latch: "started" })).toBe(0);
    expect(value("process_start_time_seconds")).toBe(5);
    expect(value("presto_sidecar_build_info", { version: "1.2.3", node_version: process.version })).toBe(1);
    expect(value("presto_sidecar_store_watch_live")).toBe(1);
    queued = 0;
    watch = "down";
    expect((await read()).value("presto_sidecar_store_watch_live")).toBe(0);
    watch = null;
    expect((await read()).value("presto_sidecar_store_watch_live")).toBeUndefined();
    expect((await read()).value("presto_sidecar_queued_calls")).toBe(0);
    expect((await read()).value("presto_sidecar_log_lines_lost_total")).toBe(5);
  });

  it("leave the token's end out again when a token without one follows", async () => {
    const { lastSeen, read } = newMetrics();
    lastSeen.note({ type: "token-changed", generation: 1, id: "a", expiresAt: new Date(11 * day) });
    expect((await read()).value("presto_sidecar_token_expiry_timestamp_seconds")).toBe((11 * day) / 1000);
    lastSeen.note({ type: "token-changed", generation: 2, id: "b", expiresAt: null });
    expect((await read()).value("presto_sidecar_token_expiry_timestamp_seconds")).toBeUndefined();
  });
});
