import { describe, expect, it } from "vitest";

import { renewalStatus } from "../../../src/admin/status.ts";
import { renewalReport } from "../../support/renewal-report.ts";

describe("the renewal's part of the status", () => {
  it("says null for what is not known, or is not so", () => {
    expect(renewalStatus(renewalReport({ dueAt: null }))).toEqual({
      state: "idle",
      automatic: true,
      due_at: null,
      next_try_at: null,
      last_end: null,
      alarm: null,
      unexplained_deaths_24h: 0,
      credentials_refused: null,
      clock_wrong: null,
      lock: { name: "file lock /token.lock", holder: null, ours: false },
      record_elsewhere: null,
    });
  });

  it("says times as ISO 8601, and whatever went wrong in sentences", () => {
    const report = renewalReport({
      state: "stopped",
      automatic: false,
      dueAt: new Date(1000),
      nextTryAt: new Date(2000),
      lastEnd: { kind: "stopped", detail: "Two issue.", at: new Date(3000) },
      stopped: { reason: "Two issue.", at: new Date(4000) },
      unexplainedDeaths: 4,
      credentialsRefused: "Presto refused them.",
    });
    expect(renewalStatus(report)).toEqual({
      state: "stopped",
      automatic: false,
      due_at: "1970-01-01T00:00:01.000Z",
      next_try_at: "1970-01-01T00:00:02.000Z",
      last_end: { kind: "stopped", detail: "Two issue.", at: "1970-01-01T00:00:03.000Z" },
      alarm: { reason: "Two issue.", at: "1970-01-01T00:00:04.000Z" },
      unexplained_deaths_24h: 4,
      credentials_refused: "Presto refused them.",
      clock_wrong: null,
      lock: { name: "file lock /token.lock", holder: null, ours: false },
      record_elsewhere: null,
    });
    expect(
      renewalStatus(renewalReport({ lastEnd: { kind: "shut-down", detail: null, at: new Date(0) } })),
    ).toMatchObject({ last_end: { kind: "shut-down", detail: null } });
  });
});
