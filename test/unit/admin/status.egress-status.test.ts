import { describe, expect, it } from "vitest";

import { createReadiness, isReady } from "../../../src/admin/readiness.ts";
import { egressStatus, fullReport } from "../../../src/admin/status.ts";
import { ignore } from "../../../src/lib/events.ts";
import { egressReport } from "../../support/egress-report.ts";
import { pageOf } from "../../support/page-of.ts";
import { statusReport } from "../../support/status-report.ts";

const known = egressReport({
  addresses: ["198.51.100.9"],
  registered: false,
  closed: "A strange address.",
  verdict: "not-registered",
  evidence: ["One.", "<Two>."],
  checkedAt: new Date("2026-11-24T01:02:03Z"),
  checkUrls: [
    { host: "ip.example", ok: true, address: "198.51.100.9", error: null },
    { host: "down.example", ok: false, address: null, error: "it is down" },
    { host: "new.example", ok: null, address: null, error: null },
  ],
});

describe("egress in the status", () => {
  it("says null for what is not known", () => {
    expect(egressStatus(egressReport())).toEqual({
      addresses: [],
      registered: null,
      closed: null,
      verdict: "unknown",
      evidence: [],
      checked_at: null,
      check_urls: [],
    });
  });

  it("says what was seen, by whom, and what follows from it", () => {
    expect(fullReport(statusReport(), [], undefined, known).egress).toEqual({
      addresses: ["198.51.100.9"],
      registered: false,
      closed: "A strange address.",
      verdict: "not-registered",
      evidence: ["One.", "<Two>."],
      checked_at: "2026-11-24T01:02:03.000Z",
      check_urls: known.checkUrls,
    });
    expect(fullReport(statusReport(), [], undefined).egress).toBeNull();
  });

  it("is on the page, escaped", () => {
    const page = pageOf(fullReport(statusReport(), [], undefined, known));
    const row = (name: string, value: string): string =>
      `<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
    for (const line of [
      row("leaves from", "198.51.100.9"),
      row("registered", "no"),
      row("kept back", "A strange address."),
      row("verdict", "not-registered"),
      row("evidence", "One. &lt;Two&gt;."),
      row("checked at", "2026-11-24T01:02:03.000Z"),
      row("ip.example", "198.51.100.9"),
      row("down.example", "failed: it is down"),
      row("new.example", "not asked yet"),
    ])
      expect(page).toContain(line);
    expect(pageOf(fullReport(statusReport(), [], undefined))).not.toContain("Way out");
  });
});

describe("the latch of egress", () => {
  it("closes readiness and opens it", () => {
    const readiness = createReadiness({ emit: ignore, egress: true });
    for (const name of ["started", "token"] as const) readiness.open(name);
    readiness.close("egress", "A strange address.");
    expect(isReady(readiness.all())).toBe(false);
    expect(readiness.all()).toContainEqual({
      name: "egress",
      advisory: false,
      closed: true,
      reason: "A strange address.",
    });
    readiness.open("egress");
    expect(isReady(readiness.all())).toBe(true);
  });

  it("is not there where nobody is asked", () => {
    const readiness = createReadiness({ emit: ignore });
    readiness.close("egress", "x");
    expect(readiness.all().map(({ name }) => name)).not.toContain("egress");
  });
});
