import { describe, expect, it } from "vitest";

import { parseDurationOrZero } from "../../../src/config/parse.ts";
import { readDuration } from "../../../src/lib/duration.ts";

const good = ["0s", "250ms", "10s", "5m", "24h", "007s", "0h"];
const bad = [
  "",
  "10",
  "s",
  "10 s",
  " 10s",
  "10s ",
  "1e3s",
  "0x10s",
  "-1s",
  "+1s",
  "1.5s",
  "10S",
  "10d",
  "10s10s",
  "10s\n",
  "١s",
];

describe("a duration", () => {
  it("is read in milliseconds, whatever its unit", () => {
    expect(good.map(readDuration)).toEqual([0, 250, 10_000, 300_000, 86_400_000, 7000, 0]);
  });

  it.each(bad)("is not %j", (text) => {
    expect(readDuration(text)).toBeUndefined();
  });

  it("is the same here as in a variable", () => {
    for (const text of good) expect(parseDurationOrZero(text)).toBe(readDuration(text));
    for (const text of bad) expect(() => parseDurationOrZero(text)).toThrow(/is not a duration|is negative/);
  });
});
