import { describe, expect, it } from "vitest";

import type { AuditReport } from "../../../src/audit/types.ts";
import { logEvents } from "../../../src/observe/log-events.ts";
import type { Metrics } from "../../../src/observe/metrics.ts";
import { parseExposition } from "../../support/parse-exposition.ts";
import { openMetrics } from "./open-metrics.ts";

const head = { seq: 7, hash: "a".repeat(64) };
const report: AuditReport = {
  available: true,
  head: { seq: 9, hash: "b".repeat(64) },
  told: head,
  open: 2,
  lost: 0,
  file: 3,
};

function newMetrics(audit?: () => AuditReport): Metrics {
  const metrics = openMetrics();
  metrics.measure({
    load: () => ({ inFlight: 0, queued: 0, buffered: 0 }),
    logLinesLost: () => 0,
    ...(audit === undefined ? {} : { audit }),
  });
  return metrics;
}

describe("the metrics of the record", () => {
  it("are absent where none is kept", async () => {
    expect(await newMetrics().text()).not.toContain("presto_sidecar_audit");
  });

  it("show how it stands, and its head as it was told last, for audit verify", async () => {
    const metrics = newMetrics(() => report);
    metrics.count({ type: "audit-availability", unavailable: { reason: "full", cause: undefined } });
    metrics.count({ type: "audit-availability", unavailable: undefined });
    metrics.count({ type: "audit-interfered", what: "it was cut" });
    const text = await metrics.text();
    const { value } = parseExposition(text);
    expect(value("presto_sidecar_audit_available")).toBe(1);
    expect(value("presto_sidecar_audit_seq")).toBe(9);
    expect(value("presto_sidecar_audit_file")).toBe(3);
    expect(value("presto_sidecar_audit_open_calls")).toBe(2);
    expect(value("presto_sidecar_audit_failures_total")).toBe(1);
    expect(value("presto_sidecar_audit_interferences_total")).toBe(1);
    expect(text).toContain(`presto_sidecar_audit_head_info{head="7:${"a".repeat(64)}"} 1`);
  });
});

describe("the log", () => {
  it("has the head in a line, and an error for what is wrong with the record", () => {
    const lines: unknown[] = [];
    const emit = logEvents({
      enabled: () => true,
      write: (level, message, fields) => lines.push({ level, message, ...fields }),
      call() {},
      lost: () => 0,
      flush: () => Promise.resolve(),
    });
    emit({ type: "audit-head", head, file: 3 });
    emit({ type: "audit-availability", unavailable: { reason: "its disk is full", cause: undefined } });
    emit({ type: "audit-availability", unavailable: undefined });
    emit({ type: "audit-interfered", what: "it was cut" });
    expect(lines).toMatchObject([
      { level: "info", head: `7:${"a".repeat(64)}`, file: 3, audit: true },
      { level: "error", reason: "its disk is full", audit: true },
      { level: "info", audit: true },
      { level: "error", reason: "it was cut", audit: true },
    ]);
  });
});
