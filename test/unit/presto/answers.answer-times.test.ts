import { describe, expect, it } from "vitest";

import { longestRetryAfterMs, readRetryAfter, readTime } from "../../../src/presto/answers.ts";

describe("a time of Presto's", () => {
  it.each([
    ["2026-05-25T00:00:00+00:00", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25T03:00:00+03:00", "2026-05-25T00:00:00.000Z"],
    ["2026-05-24T18:30:00-05:30", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25T00:00:00Z", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25t00:00:00z", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25T00:00:00.123456Z", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25 00:00:00+0000", "2026-05-25T00:00:00.000Z"],
    ["2026-05-25T00:00+02", "2026-05-24T22:00:00.000Z"],
    ["2026-05-25", "2026-05-25T00:00:00.000Z"],
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
  ])("%s is %s", (text, expected) => {
    expect(readTime(text)?.toISOString()).toBe(expected);
  });

  it.each([
    "2026-05-25T00:00:00",
    "2026-05-25 00:00:00",
    "2026-02-30",
    "2027-02-29T00:00:00Z",
    "2026-13-01",
    "2026-00-10",
    "2026-05-25T24:00:00Z",
    "2026-05-25T00:60:00Z",
    "2026-05-25T00:00:60Z",
    "2026-05-25T00:00:00+24:00",
    "0026-05-25",
    "9999-12-31T23:59:59-01:00",
    "25.05.2026",
    "Mon, 25 May 2026 00:00:00 GMT",
    " 2026-05-25",
    "",
    1_779_667_200,
    null,
    undefined,
    {},
  ])("%j is none", (value) => {
    expect(readTime(value)).toBeUndefined();
  });
});

describe("a Retry-After", () => {
  const now = Date.UTC(2026, 10, 24, 12, 0, 0);

  it.each([
    ["0", 0],
    [" 12 ", 12_000],
    ["3600", longestRetryAfterMs],
    ["86400", longestRetryAfterMs],
    ["999999999999", longestRetryAfterMs],
    ["Tue, 24 Nov 2026 12:00:30 GMT", 30_000],
    ["Tue, 24 Nov 2026 11:00:00 GMT", 0],
    ["Wed, 24 Nov 2027 12:00:00 GMT", longestRetryAfterMs],
  ])("%j is %i ms", (text, ms) => {
    expect(readRetryAfter(text, now)).toBe(ms);
  });

  it.each([undefined, "", "-1", "1.5", "1e3", "soon", "2026-11-24", "Xyz, 99 Abc 2026 12:00:00 GMT"])(
    "%j names no time",
    (text) => {
      expect(readRetryAfter(text, now)).toBeUndefined();
    },
  );
});
