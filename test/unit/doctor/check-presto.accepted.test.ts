import { describe, expect, it } from "vitest";

import { checkAccepted } from "../../../src/doctor/check-presto.ts";
import { parsePlace } from "../../../src/store/open.ts";
import { recordOf } from "../store/records.ts";

const now = Date.UTC(2026, 10, 24, 12, 0, 0);

/** What is said of a stored token that Presto refuses, and that was made so long ago. */
function refused(ageMs: number | null) {
  const issuedAt = ageMs === null ? null : new Date(now - ageMs);
  return checkAccepted(
    {
      record: { ...recordOf("1111|abc"), issuedAt },
      store: parsePlace("file:/var/lib/presto/token"),
      issuing: { automatic: true, renewAt: 0.67 },
      now,
    },
    { kind: "done", value: "dead" },
  );
}

describe("a stored token that Presto refuses", () => {
  it("is not taken for dead while it is young: it is said when to look again", () => {
    expect(refused(10_000)).toMatchObject({
      result: "WARN",
      detail: expect.stringContaining(
        "younger than 30 s, and its own replicas may not know it yet (young-token)",
      ),
      mend: "Run this again after 2026-11-24T12:00:20.000Z.",
    });
  });

  it("of a time to come is believed in for as long, and no longer", () => {
    expect(refused(-10_000)).toMatchObject({
      result: "WARN",
      mend: "Run this again after 2026-11-24T12:00:30.000Z.",
    });
    expect(refused(-30_000).result).toBe("FAIL");
  });

  it.each([30_000, 3_600_000, null])("is dead at an age of %j ms", (ageMs) => {
    expect(refused(ageMs)).toMatchObject({
      result: "FAIL",
      meaning: "refused",
      detail: expect.not.stringContaining("young"),
      mend: expect.stringContaining("presto-sidecar token renew"),
    });
  });
});
