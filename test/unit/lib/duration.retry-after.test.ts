import { describe, expect, it } from "vitest";

import { readRetryAfter } from "../../../src/lib/duration.ts";

describe("a Retry-After", () => {
  const now = Date.UTC(2026, 10, 24, 12, 0, 0);
  const most = 60 * 60_000;

  it.each([
    ["0", 0],
    [" 12 ", 12_000],
    ["3600", most],
    ["86400", most],
    ["999999999999", most],
    ["Tue, 24 Nov 2026 12:00:30 GMT", 30_000],
    ["Tue, 24 Nov 2026 11:00:00 GMT", 0],
    ["Wed, 24 Nov 2027 12:00:00 GMT", most],
  ])("%j is %i ms", (text, ms) => {
    expect(readRetryAfter(text, now, most)).toBe(ms);
  });

  it.each([undefined, "", "-1", "1.5", "1e3", "soon", "2026-11-24", "Xyz, 99 Abc 2026 12:00:00 GMT"])(
    "%j names no time",
    (text) => {
      expect(readRetryAfter(text, now, most)).toBeUndefined();
    },
  );
});
