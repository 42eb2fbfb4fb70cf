import { describe, expect, it } from "vitest";

import { fullReport } from "../../../src/admin/status.ts";
import { renewalReport } from "../../support/renewal-report.ts";
import { statusReport } from "../../support/status-report.ts";

describe("the full status report", () => {
  it("has the latches in it, and whether all of them are open", () => {
    const report = statusReport();
    expect(fullReport(report, [{ name: "started", advisory: false, closed: false }], undefined)).toEqual({
      ...report,
      ready: true,
      renewal: null,
      egress: null,
      latches: { started: { closed: false, reason: null, advisory: false } },
    });
    expect(
      fullReport(report, [{ name: "token", advisory: false, closed: true, reason: "None." }], undefined),
    ).toMatchObject({
      ready: false,
      latches: { token: { closed: true, reason: "None.", advisory: false } },
    });
  });

  it("is ready while only an advisory latch is closed, and says that it is one", () => {
    const latch = { name: "alarm", advisory: true, closed: true, reason: "Two issue." } as const;
    expect(fullReport(statusReport(), [latch], undefined)).toMatchObject({
      ready: true,
      latches: { alarm: { closed: true, reason: "Two issue.", advisory: true } },
    });
  });

  it("has the renewal in it, in a role that issues", () => {
    expect(fullReport(statusReport(), [], renewalReport({ state: "settling" })).renewal).toMatchObject({
      state: "settling",
    });
  });
});
