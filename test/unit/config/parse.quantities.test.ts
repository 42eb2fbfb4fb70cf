import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  formatDuration,
  parseCount,
  parseCountOrZero,
  parseDuration,
  parseDurationOrZero,
  parseSize,
  parseYesNo,
  InvalidValue,
} from "../../../src/config/parse.ts";

const oddNumbers = [
  "",
  " ",
  "10 s",
  " 10s",
  "10s ",
  "10s\n",
  "-1s",
  "+1s",
  "1.5s",
  "1e3s",
  "0x10s",
  "NaN",
  "NaNs",
  "Infinity",
  "s",
  "١٠s",
  "10\u00a0s",
  "10µs",
];

describe("durations", () => {
  it.each([
    ["250ms", 250],
    ["10s", 10_000],
    ["5m", 300_000],
    ["24h", 86_400_000],
    ["007s", 7000],
  ])("%s is %d milliseconds", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([...oddNumbers, "10", "0", "10sec", "10S", "10d", "1h30m"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(InvalidValue);
    expect(() => parseDurationOrZero(text)).toThrow(InvalidValue);
  });

  it("refuses what timers can't count, and says the most", () => {
    expect(parseDuration("2147483647ms")).toBe(2 ** 31 - 1);
    expect(() => parseDuration("2147483648ms")).toThrow("the most is 2147483647ms");
    expect(() => parseDuration("600h")).toThrow("the most is 596h");
    expect(() => parseDuration(`${"9".repeat(400)}s`)).toThrow("too much");
  });

  it("allows nothing at all only where that makes sense", () => {
    expect(parseDurationOrZero("0s")).toBe(0);
    expect(() => parseDuration("0s")).toThrow("more than nothing");
  });

  it("are written so that they are read as the same", () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => parseDurationOrZero(formatDuration(ms)) === ms));
    expect([0, 1500, 60_000, 90_000].map(formatDuration)).toEqual(["0s", "1500ms", "1m", "90s"]);
  });
});

it("a negative quantity is told to be that", () => {
  expect(() => parseDuration("-5s")).toThrow('"-5s" is negative; a duration here is not');
  expect(() => parseDurationOrZero("-250ms")).toThrow("is negative");
  expect(() => parseSize("-1MiB")).toThrow("is negative");
  expect(() => parseDuration("-5")).toThrow("is not a duration");
});

describe("sizes", () => {
  it.each([
    ["1B", 1],
    ["64KiB", 65_536],
    ["1MiB", 1_048_576],
    ["2GiB", 2_147_483_648],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([...oddNumbers, "10", "0B", "1MB", "1kib", "1KIB", "1Mib", "65GiB", `${"9".repeat(400)}B`])(
    "refuses %j",
    (text) => {
      expect(() => parseSize(text)).toThrow(InvalidValue);
    },
  );
});

describe("counts", () => {
  it("are whole numbers", () => {
    expect(parseCount("256")).toBe(256);
    expect(parseCountOrZero("0")).toBe(0);
  });

  it.each(["", " 1", "1 ", "-1", "1.0", "1e3", "0x1", "NaN", "65536", "9".repeat(400), "١"])(
    "refuses %j",
    (text) => {
      expect(() => parseCountOrZero(text)).toThrow(InvalidValue);
    },
  );

  it("refuses none of what there must be one of", () => {
    expect(() => parseCount("0")).toThrow("at least 1");
  });
});

describe("yes and no", () => {
  it("are the only two words", () => {
    expect(parseYesNo("yes")).toBe(true);
    expect(parseYesNo("no")).toBe(false);
    for (const text of ["true", "1", "YES", "yes ", "on", ""])
      expect(() => parseYesNo(text)).toThrow(InvalidValue);
  });
});
