import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { type RenewalReport, renewalStates } from "../../../src/renewal/types.ts";
import { type Exposition, parseExposition } from "../../support/parse-exposition.ts";
import { renewalReport } from "../../support/renewal-report.ts";
import { openMetrics } from "./open-metrics.ts";

const now = Date.UTC(2026, 10, 24);
function newMetrics(first?: RenewalReport) {
  const metrics = openMetrics({ clock: { ...systemClock, now: () => now } });
  let report = first;
  const load = () => ({ inFlight: 0, queued: 0, buffered: 0 });
  metrics.measure({
    load,
    logLinesLost: () => 0,
    ...(first === undefined ? {} : { renewal: () => report ?? first }),
  });
  return {
    count: metrics.count,
    set: (differences: Partial<RenewalReport>) => (report = renewalReport(differences)),
    read: async (): Promise<Exposition> => parseExposition(await metrics.text()),
  };
}

describe("the metrics of renewals", () => {
  it("are absent, not zero, in a role that issues nothing", async () => {
    const { families } = await newMetrics().read();
    expect([...families.keys()].filter((name) => /renewal|issue/.test(name))).toEqual([]);
  });

  it("are well-formed and have zeros before their first event, so that rate() sees it", async () => {
    const { families, value } = await newMetrics(renewalReport()).read();
    for (const [name, { help }] of families) {
      expect(name).toMatch(/^(presto_sidecar|process)_[a-z0-9_]+$/);
      expect(help).toMatch(/\w.*\.$/);
    }
    for (const end of ["issued", "refused", "not-sent", "unclear"])
      expect(value("presto_sidecar_issue_calls_total", { end })).toBe(0);
    for (const kind of [
      "renewed",
      "nothing-to-do",
      "young-token",
      "stopped",
      "elsewhere",
      "refused",
      "unreachable",
      "lost",
      "shut-down",
    ]) {
      expect(value("presto_sidecar_renewal_ends_total", { kind })).toBe(0);
    }
    for (const to of renewalStates) expect(value("presto_sidecar_renewal_transitions_total", { to })).toBe(0);
    expect(value("presto_sidecar_renewal_unexplained_deaths_total")).toBe(0);
    expect(value("presto_sidecar_renewal_alarms_total")).toBe(0);
    expect(value("presto_sidecar_renewal_records_put_back_total")).toBe(0);
    expect(value("presto_sidecar_issue_call_duration_seconds_count")).toBe(0);
  });

  it("count state changes, issue calls with their times, ends, deaths and alarms", async () => {
    const { count, read } = newMetrics(renewalReport());
    count({ type: "renewal-moved", from: "idle", to: "reading", reason: undefined, intent: undefined });
    count({ type: "renewal-moved", from: "reading", to: "probing", reason: "manual", intent: undefined });
    count({ type: "renewal-moved", from: "idle", to: "reading", reason: undefined, intent: undefined });
    count({ type: "issue-begun", intent: "i", reason: "manual" });
    count({ type: "issue-ended", intent: "i", end: "issued", cause: undefined, ms: 300 });
    count({ type: "issue-ended", intent: "j", end: "unclear", cause: undefined, ms: 15_000 });
    count({ type: "renewal-ended", end: { kind: "lost", detail: "Died." }, nextTryAt: undefined });
    count({ type: "unexplained-death", generation: 1, id: "a", count: 5 });
    count({ type: "alarm-changed", alarm: { reason: "Two issue.", at: new Date(0) } });
    count({ type: "alarm-changed", alarm: undefined });
    const putBack = { type: "record-put-back", generation: 1, id: "a", lastWriter: undefined } as const;
    count({ ...putBack, wasGone: true });
    count({ ...putBack, wasGone: false });
    const { value } = await read();
    expect(value("presto_sidecar_renewal_transitions_total", { to: "reading" })).toBe(2);
    expect(value("presto_sidecar_renewal_transitions_total", { to: "probing" })).toBe(1);
    expect(value("presto_sidecar_issue_calls_total", { end: "issued" })).toBe(1);
    expect(value("presto_sidecar_issue_calls_total", { end: "unclear" })).toBe(1);
    expect(value("presto_sidecar_issue_calls_total", { end: "refused" })).toBe(0);
    expect(value("presto_sidecar_issue_call_duration_seconds_count")).toBe(2);
    expect(value("presto_sidecar_issue_call_duration_seconds_sum")).toBeCloseTo(15.3);
    expect(value("presto_sidecar_issue_call_duration_seconds_bucket", { le: "0.5" })).toBe(1);
    expect(value("presto_sidecar_renewal_ends_total", { kind: "lost" })).toBe(1);
    expect(value("presto_sidecar_renewal_unexplained_deaths_total")).toBe(1);
    expect(value("presto_sidecar_renewal_alarms_total")).toBe(1);
    expect(value("presto_sidecar_renewal_records_put_back_total")).toBe(2);
  });

  it("show the present: when it is due and tried again, deaths, alarm, credentials", async () => {
    const { set, read } = newMetrics(renewalReport({ dueAt: new Date(now + 60_500) }));
    const calm = await read();
    expect(calm.value("presto_sidecar_renewal_due_timestamp_seconds")).toBe((now + 60_500) / 1000);
    expect(calm.value("presto_sidecar_renewal_next_try_timestamp_seconds")).toBeUndefined();
    expect(calm.value("presto_sidecar_renewal_unexplained_deaths_last_day")).toBe(0);
    expect(calm.value("presto_sidecar_renewal_credentials_refused")).toBe(0);
    expect(calm.value("presto_sidecar_renewal_stopped")).toBe(0);
    expect(calm.value("presto_sidecar_renewal_record_elsewhere")).toBe(0);
    expect(calm.value("presto_sidecar_renewal_clock_wrong")).toBe(0);
    set({
      dueAt: new Date(now - 1000),
      nextTryAt: new Date(now + 4000),
      unexplainedDeaths: 2,
      credentialsRefused: "No.",
      stopped: { reason: "Two issue.", at: new Date(now) },
      elsewhere: "Of another site.",
      clockWrong: "A day ahead.",
    });
    const bad = await read();
    expect(bad.value("presto_sidecar_renewal_due_timestamp_seconds")).toBe((now - 1000) / 1000);
    expect(bad.value("presto_sidecar_renewal_next_try_timestamp_seconds")).toBe((now + 4000) / 1000);
    expect(bad.value("presto_sidecar_renewal_unexplained_deaths_last_day")).toBe(2);
    expect(bad.value("presto_sidecar_renewal_credentials_refused")).toBe(1);
    expect(bad.value("presto_sidecar_renewal_stopped")).toBe(1);
    expect(bad.value("presto_sidecar_renewal_record_elsewhere")).toBe(1);
    expect(bad.value("presto_sidecar_renewal_clock_wrong")).toBe(1);
    set({ dueAt: null });
    const unknown = await read();
    expect(unknown.value("presto_sidecar_renewal_due_timestamp_seconds")).toBeUndefined();
    expect(unknown.value("presto_sidecar_renewal_next_try_timestamp_seconds")).toBeUndefined();
  });

  it("show the lock: 1 while it is this process's, and who is waited for, one series at a time", async () => {
    const { set, read } = newMetrics(renewalReport());
    const name = "Lease presto/token";
    const metric = "presto_sidecar_renewal_lock";
    set({ lock: { name, holder: "The Pod presto/a", ours: false } });
    const waiting = await read();
    expect(waiting.value(metric, { lock: name, holder: "The Pod presto/a" })).toBe(0);
    set({ lock: { name, holder: "This process", ours: true } });
    const held = await read();
    expect(held.value(metric, { lock: name, holder: "This process" })).toBe(1);
    expect(held.value(metric, { lock: name, holder: "The Pod presto/a" })).toBeUndefined();
    set({ lock: { name, holder: null, ours: false } });
    expect((await read()).value(metric, { lock: name, holder: "" })).toBe(0);
  });

  it("show one state as 1 and all others as 0", async () => {
    const { set, read } = newMetrics(renewalReport());
    for (const state of renewalStates) {
      set({ state });
      const { value } = await read();
      const ones = renewalStates.filter(
        (each) => value("presto_sidecar_renewal_state", { state: each }) === 1,
      );
      const zeros = renewalStates.filter(
        (each) => value("presto_sidecar_renewal_state", { state: each }) === 0,
      );
      expect([ones, zeros.length]).toEqual([[state], renewalStates.length - 1]);
    }
  });
});
