import { describe, expect, it } from "vitest";

import {
  parseDays,
  parseDayWindow,
  parseFraction,
  parseReference,
  parseRenew,
  parseRole,
  parseTokenName,
  InvalidValue,
} from "../../../src/config/parse.ts";

const hour = 3_600_000;

describe("the role", () => {
  it("is one of three, written so", () => {
    expect(["proxy", "rotator", "all"].map(parseRole)).toEqual(["proxy", "rotator", "all"]);
    for (const text of ["", "Proxy", "both", "all "]) expect(() => parseRole(text)).toThrow(InvalidValue);
  });
});

describe("whether tokens are renewed by themselves", () => {
  it("is auto or manual", () => {
    expect(["auto", "manual"].map(parseRenew)).toEqual(["auto", "manual"]);
    for (const text of ["", "yes", "AUTO"]) expect(() => parseRenew(text)).toThrow(InvalidValue);
  });
});

describe("a token's name", () => {
  it.each(["presto-sidecar", "front desk 2", "x", "x".repeat(255)])("%s", (text) => {
    expect(parseTokenName(text)).toBe(text);
  });

  it.each(["", "x".repeat(256), "näme", "a\tb", "a\nb", " a", "a ", " ", "a\x7f"])(
    "%j is refused",
    (text) => {
      expect(() => parseTokenName(text)).toThrow(InvalidValue);
    },
  );
});

describe("days of life", () => {
  it.each([
    ["1", 1],
    ["90", 90],
    ["3650", 3650],
    ["007", 7],
  ])("%s", (text, days) => {
    expect(parseDays(text)).toBe(days);
  });

  it.each(["", "0", "3651", "-1", "1.5", "90d", "1e2", " 1", "٩", "9".repeat(400)])(
    "%j is refused",
    (text) => {
      expect(() => parseDays(text)).toThrow(InvalidValue);
    },
  );
});

describe("a fraction of the life", () => {
  it.each([
    ["0.67", 0.67],
    ["1", 1],
    ["1.0", 1],
    ["0.000001", 0.000_001],
  ])("%s", (text, fraction) => {
    expect(parseFraction(text)).toBe(fraction);
  });

  it.each(["", "0", "0.0", "1.01", "2", "-0.5", ".5", "1.", "67%", "1e-1", "0x1", "Infinity", "0,5", " 1"])(
    "%j is refused",
    (text) => {
      expect(() => parseFraction(text)).toThrow(InvalidValue);
    },
  );

  it("of nothing, though it be written with a digit somewhere, is refused", () => {
    expect(() => parseFraction(`0.${"0".repeat(400)}1`)).toThrow(InvalidValue);
  });
});

describe("hours of the day", () => {
  it.each([
    ["01:00-04:00", hour, 4 * hour],
    ["22:30-02:00", 22.5 * hour, 2 * hour],
    ["00:00-23:59", 0, 24 * hour - 60_000],
    ["22:00-24:00", 22 * hour, 0],
    ["22:00-00:00", 22 * hour, 0],
  ])("%s", (text, fromMs, toMs) => {
    expect(parseDayWindow(text)).toEqual({ fromMs, toMs });
  });

  it.each([
    ["", "two times"],
    ["01:00", "two times"],
    ["1:00-4:00", "two times"],
    ["01:00 - 04:00", "two times"],
    ["01:00-04:00Z", "two times"],
    ["01:00-04:00,05:00-06:00", "two times"],
    ["01:60-04:00", "not a time of day"],
    ["25:00-04:00", "not a time of day"],
    ["24:00-04:00", "not a time of day"],
    ["04:00-24:01", "not a time of day"],
    ["04:00-04:00", "begins when it ends"],
    ["00:00-24:00", "begins when it ends"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseDayWindow(text)).toThrow(InvalidValue);
    expect(() => parseDayWindow(text)).toThrow(why);
  });
});

describe("a made-up reference", () => {
  it.each(["TRX000000000", "a-b.c_d~e", "...", "x".repeat(128)])("%s", (text) => {
    expect(parseReference(text)).toBe(text);
  });

  it.each(["", ".", "..", "a/b", "a%20b", "a b", "a?b", "é", "x".repeat(129), "a\n"])(
    "%j is refused",
    (text) => {
      expect(() => parseReference(text)).toThrow(InvalidValue);
    },
  );
});
