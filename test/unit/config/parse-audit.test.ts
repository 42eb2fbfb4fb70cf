import { describe, expect, it } from "vitest";

import { parseAudit, parseAuditFull } from "../../../src/config/parse-audit.ts";

describe("PRESTO_AUDIT", () => {
  it.each([
    ["off", "off"],
    ["stdout", { kind: "stdout" }],
    ["file:/var/log/audit.jsonl", { kind: "file", path: "/var/log/audit.jsonl", mode: 0o600 }],
    ["file:/var/log/audit.jsonl?mode=0640", { kind: "file", path: "/var/log/audit.jsonl", mode: 0o640 }],
    ["file:/a?mode=660", { kind: "file", path: "/a", mode: 0o660 }],
  ])("is %s", (text, place) => {
    expect(parseAudit(text)).toEqual(place);
  });

  it.each([
    ["", /none of off, stdout and file/],
    ["on", /none of off, stdout and file/],
    ["/var/log/audit", /none of off, stdout and file/],
    ["file:audit", /not an absolute path/],
    ["file:/var/log/", /is a folder/],
    ["file:/a\nb", /control character/],
    ["file:/a?mode=0644", /every user of the machine/],
    ["file:/a?mode=0400", /locks out its owner/],
    ["file:/a?mode=0700", /makes the record a program/],
    ["file:/a?mode=640?", /something other than a mode/],
    ["file:/a?keep=3", /something other than a mode/],
  ])("is not %j", (text, reason) => {
    expect(() => parseAudit(text)).toThrow(reason);
  });
});

describe("PRESTO_AUDIT_FULL", () => {
  it("is refuse or continue", () => {
    expect([parseAuditFull("refuse"), parseAuditFull("continue")]).toEqual(["refuse", "continue"]);
    expect(() => parseAuditFull("no")).toThrow(/neither refuse nor continue/);
  });
});
