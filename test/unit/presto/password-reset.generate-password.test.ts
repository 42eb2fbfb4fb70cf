import { describe, expect, it } from "vitest";

import { brokenPasswordRules, generatePassword } from "../../../src/presto/password-reset.ts";

describe("a generated password", () => {
  it("keeps every rule, is plain to type, and is never the same: 10,000 times", () => {
    const seen = new Set<string>();
    for (let run = 0; run < 10_000; run++) {
      const password = generatePassword();
      const text = password.reveal();
      if (brokenPasswordRules(password).length > 0 || !/^[A-Za-z][\w.+=:@-]{31}$/.test(text)) {
        expect.fail("a generated password breaks a rule");
      }
      seen.add(text);
    }
    expect(seen.size).toBe(10_000);
  });

  it("has each kind at every place but the first", () => {
    const kinds = Array.from({ length: 32 }, () => new Set<string>());
    for (let run = 0; run < 2_000; run++) {
      [...generatePassword().reveal()].forEach((character, place) => {
        const kind = /[A-Z]/.test(character)
          ? "A"
          : /[a-z]/.test(character)
            ? "a"
            : /\d/.test(character)
              ? "1"
              : "-";
        kinds[place]?.add(kind);
      });
    }
    expect(kinds.map((found) => found.size)).toEqual([2, ...Array.from({ length: 31 }, () => 4)]);
  });

  it("keeps the rules whatever chance brings", () => {
    for (const below of [() => 0, (bound: number) => bound - 1, (bound: number) => Math.floor(bound / 2)]) {
      expect(brokenPasswordRules(generatePassword(below))).toEqual([]);
    }
  });

  it("asks for chance below each bound only", () => {
    generatePassword((bound) => {
      expect(bound).toBeGreaterThan(0);
      expect(Number.isInteger(bound)).toBe(true);
      return 0;
    });
    expect.hasAssertions();
  });
});
