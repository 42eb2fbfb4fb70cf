import { expect, it } from "vitest";

import { parseExpiryDate } from "../../../src/cli/token-import.ts";

const now = Date.UTC(2026, 10, 24, 12);

it("is the start of the day in UTC", () => {
  expect(parseExpiryDate("2027-02-22", now).toISOString()).toBe("2027-02-22T00:00:00.000Z");
  expect(parseExpiryDate("2028-02-29", now).toISOString()).toBe("2028-02-29T00:00:00.000Z");
});

it.each([
  "2027-02-29",
  "2027-13-01",
  "2027-06-31",
  "27-01-01",
  "2027-1-1",
  "tomorrow",
  "2027-01-01T00:00",
  " 2027-01-01",
  "+002027-01-01",
])("%j is refused as no date", (text) => {
  expect(() => parseExpiryDate(text, now)).toThrow("not a date that exists");
});

it.each(["2026-11-24", "2020-01-01"])("%s is refused as past: a token dies when its day begins", (text) => {
  expect(() => parseExpiryDate(text, now)).toThrow("is past");
});
