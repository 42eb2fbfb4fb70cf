import { createHash } from "node:crypto";

import { describe, expect, it } from "vitest";

import { statusPagePolicy } from "../../../src/admin/status-page.ts";
import { fullReport } from "../../../src/admin/status.ts";
import { pageOf } from "../../support/page-of.ts";
import { renewalReport } from "../../support/renewal-report.ts";
import { statusReport } from "../../support/status-report.ts";

describe("the status page", () => {
  it("says what the report says, and that something is not known", () => {
    const page = pageOf(
      fullReport(
        statusReport({ expires_at: null }),
        [{ name: "token", advisory: false, closed: true, reason: "The file is empty." }],
        undefined,
      ),
    );
    for (const text of [
      "Not ready",
      "<strong>Not ready: token.</strong> The file is empty. <em>Put a token into the store",
      "https://presto.example",
      "61.3",
      "0123456789abcdef",
      "26.10.0",
    ]) {
      expect(page).toContain(text);
    }
    expect(page).toContain('<th scope="row">expires at</th><td>not known</td>');
    expect(pageOf(fullReport(statusReport(), [], undefined))).toContain(">Ready<");
    expect(page).toContain("<dt>Certificate ends</dt><dd>in 55 days<small>2027-01-24</small></dd>");
  });

  it("says how the renewal stands, in a role that issues", () => {
    const at = new Date("2026-11-24T01:02:03Z");
    const page = pageOf(
      fullReport(
        statusReport(),
        [{ name: "alarm", advisory: true, closed: true, reason: "Two issue." }],
        renewalReport({
          state: "reconciling",
          automatic: false,
          dueAt: at,
          nextTryAt: null,
          lastEnd: { kind: "unreachable", detail: "The store is away.", at },
          stopped: { reason: "Two issue.", at },
          unexplainedDeaths: 4,
          credentialsRefused: "Presto refused them.",
          clockWrong: "This machine is an hour ahead.",
          elsewhere: "It was written for another Secret.",
        }),
      ),
    );
    const row = (name: string, value: string): string =>
      `<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
    for (const line of [
      row("alarm", "Two issue."),
      "<strong>Look at: alarm.</strong> Two issue. <em>Stop whoever else issues",
      row("state", "reconciling"),
      row("automatic", "no: issues only when told"),
      row("due at", "2026-11-24T01:02:03.000Z"),
      row("next try at", "nothing is put off"),
      row("last end", "2026-11-24T01:02:03.000Z: unreachable: The store is away."),
      row("alarm", "2026-11-24T01:02:03.000Z: Two issue."),
      row("unexplained deaths in 24 h", "4"),
      row("credentials refused", "Presto refused them."),
      row("clock wrong", "This machine is an hour ahead."),
      row("record elsewhere", "It was written for another Secret."),
    ]) {
      expect(page).toContain(line);
    }
    expect(page).toContain(">Ready<");
    expect(pageOf(fullReport(statusReport(), [], undefined))).not.toContain("<h2>Renewal</h2>");
  });

  it("says how following the store goes, where it is followed", () => {
    const state = {
      watch: "down",
      last_read_at: "2026-11-24T12:00:00.000Z",
      failure: "It is away.",
    } as const;
    const page = pageOf(fullReport(statusReport({ store_state: state }), [], undefined));
    for (const text of ["<h2>Store</h2>", "down", "2026-11-24T12:00:00.000Z", "It is away."])
      expect(page).toContain(text);
    expect(pageOf(fullReport(statusReport(), [], undefined))).not.toContain("<h2>Store</h2>");
  });

  it("escapes whatever is in it", () => {
    const hostile = `"><script>alert('1')</script>&`;
    const page = pageOf(
      fullReport(
        statusReport({ role: hostile, upstream: hostile, versions: { [hostile]: hostile } }),
        [{ name: "token", advisory: false, closed: true, reason: hostile }],
        undefined,
      ),
    );
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain(`"><script`);
    expect(page).not.toContain("alert('1')");
    expect(page.split("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;")).toHaveLength(9);
  });

  it("has one style and one script, which its policy allows by hash, and nothing else that loads, runs or sends", () => {
    const page = pageOf(fullReport(statusReport(), [], undefined));
    for (const name of ["style", "script"]) {
      const text = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(page)?.[1] ?? "";
      expect(text.length).toBeGreaterThan(100);
      const hash = createHash("sha256").update(text).digest("base64");
      expect(statusPagePolicy).toContain(`${name}-src 'sha256-${hash}'`);
    }
    expect(statusPagePolicy).toMatch(/^default-src 'none';/);
    expect(statusPagePolicy).not.toMatch(/unsafe|\*|https?:|data:/);
    const text = page.replaceAll(/<(style|script)>[\s\S]*?<\/\1>/g, "");
    expect(text).not.toMatch(/<(script|style|img|link|iframe|form|object|embed)|\s(on\w+|style|src)=|url\(/i);
  });
});
