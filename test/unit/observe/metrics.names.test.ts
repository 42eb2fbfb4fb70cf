import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createLastSeen } from "../../../src/observe/last-seen.ts";
import type { MetricRows } from "../../../src/observe/metric-rows.ts";
import type { RenewalReport } from "../../../src/renewal/types.ts";
import { metricTables } from "../../../tools/metric-tables.ts";
import { finishedCall } from "../../support/finished-call.ts";
import { parseExposition } from "../../support/parse-exposition.ts";
import { openMetrics } from "./open-metrics.ts";

const at = new Date(1_800_000_000_000);

const renewal: RenewalReport = {
  state: "idle",
  automatic: true,
  lock: { name: "store", holder: "presto/a", ours: false },
  dueAt: at,
  nextTryAt: at,
  lastEnd: null,
  stopped: null,
  unexplainedDeaths: 0,
  credentialsRefused: null,
  clockWrong: null,
  elsewhere: null,
};

/** All that there is, as a role that does everything shows it once everything has happened. */
async function everything(): Promise<string> {
  const lastSeen = createLastSeen(systemClock);
  const metrics = openMetrics({ operations: ["wallet.confirm"], lastSeen, startedAt: 5000 });
  metrics.measure({
    load: () => ({ inFlight: 1, queued: 1, buffered: 1 }),
    logLinesLost: () => 1,
    renewal: () => renewal,
    egress: () => ({
      addresses: ["192.0.2.1"],
      registered: true,
      closed: null,
      verdict: "registered",
      evidence: [],
      checkedAt: at,
      checkUrls: [{ host: "ip.example", ok: true, address: "192.0.2.1", error: null }],
    }),
    outcomes: () => ({ open: 1, oldestMs: 60_000 }),
    audit: () => ({
      available: true,
      head: { seq: 1, hash: "a" },
      told: { seq: 1, hash: "a" },
      file: 1,
      open: 0,
      lost: 0,
    }),
  });
  for (const event of [
    finishedCall({ operation: "wallet.confirm", status: 502, outcome: "unknown", code: "upstream-broken" }),
    { type: "token-changed", generation: 1, id: "a", expiresAt: at },
    { type: "peer-certificate", validTo: at },
    { type: "latch-changed", name: "token", reason: "none", ready: false },
  ] as const) {
    lastSeen.note(event);
    metrics.count(event);
  }
  // The limit of descriptors and the loop's first delays come a moment later.
  await expect
    .poll(async () => parseExposition(await metrics.text()).families.get("process_max_fds")?.samples.length)
    .toBe(1);
  return metrics.text();
}

const documented: MetricRows = Object.fromEntries(
  Object.values(metricTables).flatMap((rows) => Object.entries(rows)),
);

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

describe("the metrics", () => {
  it("are those of the tables that docs/metrics.md is made from, and no others", async () => {
    const { families } = parseExposition(await everything());
    expect([...families.keys()].toSorted()).toEqual(Object.keys(documented).toSorted());
    for (const [name, { help, type }] of families)
      expect([name, type, help]).toEqual([name, documented[name]?.type, documented[name]?.help]);
    for (const { watch } of Object.values(documented)) expect(watch).toMatch(/\.$/);
  });

  it("keep to Prometheus' naming: base units, times as timestamps, process_* as everywhere", () => {
    for (const [name, { type }] of Object.entries(documented)) {
      expect(name).toMatch(/^(presto_sidecar|process)_[a-z0-9_]+$/);
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      expect(name).not.toMatch(/_(days|hours|minutes|ms|milliseconds|age|left)(_|$)/);
    }
    for (const { labels = [] } of Object.values(documented)) expect(labels).not.toContain("quantile");
  });

  it.skipIf(!hasPromtool)("leave promtool check metrics nothing to say", async () => {
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: await everything(),
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
