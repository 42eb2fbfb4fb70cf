import { describe, expect, it } from "vitest";

import { exitCodeOf, fail, type FailMeaning, ok, skip, warn } from "../../../src/doctor/finding.ts";

const failing = (meaning: FailMeaning) => fail("store", meaning, "It fails.", "Mend it.");

describe("the exit code", () => {
  it("is 0 where nothing fails", () => {
    expect(exitCodeOf([ok("store", "x"), warn("clock", "x", "y"), skip("pins", "x")])).toBe(0);
  });

  it.each([
    [["no-token"], 66],
    [["unreachable", "no-token"], 69],
    [["no-token", "unreachable", "refused"], 77],
    [["unreachable", "configuration", "refused", "no-token"], 78],
  ] as const)("of %j is %d, whatever their order", (meanings, code) => {
    const findings = [ok("token", "x"), ...meanings.map(failing)];
    expect(exitCodeOf(findings)).toBe(code);
    expect(exitCodeOf(findings.toReversed())).toBe(code);
  });
});
