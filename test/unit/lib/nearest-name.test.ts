import { expect, it } from "vitest";

import { nearestName } from "../../../src/lib/nearest-name.ts";

const names = ["start", "status", "check", "token import"];

it.each([
  ["strat", "start"],
  ["stats", "status"],
  ["stauts", "status"],
  ["chekc", "check"],
  ["tokn imprt", "token import"],
  ["check", "check"],
  ["CHEKC", "check"],
])("%s is near %s", (typed, name) => {
  expect(nearestName(typed, names)).toBe(name);
});

it.each(["", "x", "ab", "restart everything", "kjbd", "check-the-whole-thing"])(
  "nothing is near %j",
  (typed) => {
    expect(nearestName(typed, names)).toBeUndefined();
  },
);

it("gives up early on what is far too long", () => {
  expect(nearestName("a".repeat(10_000_000), names)).toBeUndefined();
});
