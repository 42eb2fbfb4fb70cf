import { createHash } from "node:crypto";

import { describe, expect, it } from "vitest";

import { statusPage, statusPagePolicy } from "../../../src/admin/status-page.ts";
import { withLatches } from "../../../src/admin/status-report.ts";
import { statusReport } from "../../support/status-report.ts";

describe("the status page", () => {
  it("says what the report says, and that something is not known", () => {
    const page = statusPage(
      withLatches(statusReport({ expires_at: null }), [
        { name: "token", closed: true, reason: "The file is empty." },
      ]),
    );
    for (const text of [
      "Not ready",
      "closed: The file is empty.",
      "https://presto.example",
      "61.3",
      "0123456789abcdef",
      "26.10.0",
    ]) {
      expect(page).toContain(text);
    }
    expect(page).toContain('<th scope="row">expires at</th><td>not known</td>');
    expect(statusPage(withLatches(statusReport(), []))).toContain(">Ready<");
  });

  it("escapes whatever is in it", () => {
    const hostile = `"><script>alert('1')</script>&`;
    const page = statusPage(
      withLatches(statusReport({ role: hostile, upstream: hostile, versions: { [hostile]: hostile } }), [
        { name: "token", closed: true, reason: hostile },
      ]),
    );
    expect(page).not.toContain("<script");
    expect(page).not.toContain(`"><script`);
    expect(page.split("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;")).toHaveLength(6);
  });

  it("has one style, which its policy allows by hash, and nothing that loads, runs or sends", () => {
    const page = statusPage(withLatches(statusReport(), []));
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? "";
    expect(statusPagePolicy).toContain(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
    expect(statusPagePolicy).toMatch(/^default-src 'none';/);
    expect(page).not.toMatch(/<(script|img|link|iframe|form|object|embed)|\son\w+=|\ssrc=|url\(/i);
  });
});
