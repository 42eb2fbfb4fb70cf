import { expect, it } from "vitest";

import { isoTime } from "../../../src/observe/log-fields.ts";

it("writes a date, and null for one that could not be parsed", () => {
  expect(isoTime(new Date(0))).toBe("1970-01-01T00:00:00.000Z");
  expect(isoTime(new Date("not a date"))).toBeNull();
});
