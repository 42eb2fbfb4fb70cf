import { describe, expect, it } from "vitest";

import { withLatches } from "../../../src/admin/status-report.ts";
import { statusReport } from "../../support/status-report.ts";

describe("the full status report", () => {
  it("has the latches in it, and whether all of them are open", () => {
    const report = statusReport();
    expect(withLatches(report, [{ name: "started", closed: false }])).toEqual({
      ...report,
      ready: true,
      latches: { started: { closed: false, reason: null } },
    });
    expect(withLatches(report, [{ name: "token", closed: true, reason: "None." }])).toMatchObject({
      ready: false,
      latches: { token: { closed: true, reason: "None." } },
    });
  });
});
