import { describe, expect, it } from "vitest";

import { checkClock } from "../../../src/doctor/check-presto.ts";

const sentAt = Date.UTC(2026, 10, 24, 12, 0, 0, 500);
const receivedAt = sentAt + 2_000;

/** @param aheadS seconds that Presto's clock is ahead of ours at the moment of sending */
function judged(aheadS: number, date = new Date(sentAt + aheadS * 1_000).toUTCString()) {
  return checkClock({
    kind: "done",
    value: { kind: "answered", status: 401, outcome: "app-refused", date, sentAt, receivedAt },
  });
}

describe("the clock's skew", () => {
  it.each([
    [0, "OK"],
    // The answer may have been dated at any moment until it came, in whole seconds.
    [7, "OK"],
    [-5, "OK"],
    [9, "WARN"],
    [-8, "WARN"],
    [60, "WARN"],
    [64, "FAIL"],
    [-60, "WARN"],
    [-63, "FAIL"],
  ])("of %d s is judged %s", (aheadS, result) => {
    expect(judged(aheadS).result).toBe(result);
  });

  it("is told with its direction", () => {
    expect(judged(600).detail).toMatch(/clock is 59\d s behind Presto's/);
    expect(judged(-600).detail).toMatch(/clock is 600 s ahead of Presto's/);
  });

  it.each([undefined, "", "yesterday"])("is not guessed from the Date %j", (date) => {
    const door = { kind: "answered", status: 401, outcome: "app-refused", date, sentAt, receivedAt } as const;
    expect(checkClock({ kind: "done", value: door }).result).toBe("SKIP");
  });

  it("is not judged without an answer", () => {
    expect(checkClock(undefined).result).toBe("SKIP");
    expect(checkClock({ kind: "late" }).result).toBe("SKIP");
  });
});
