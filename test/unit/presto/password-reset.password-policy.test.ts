import { describe, expect, it } from "vitest";

import { brokenPasswordRules } from "../../../src/presto/password-reset.ts";
import { Secret } from "../../../src/secret.ts";

function broken(password: string): string[] {
  return brokenPasswordRules(new Secret(password)).map(({ code }) => code);
}

describe("the rules for a new password", () => {
  it.each(["Aa1!aaaa", "Sandbox-Passw0rd!", "Correct Horse 1!", "Ünïcöde1€", "Пароль-1я", "Aa1aaaa😀"])(
    "are kept by %s",
    (password) => {
      expect(broken(password)).toEqual([]);
    },
  );

  it.each([
    ["Aa1!aaa", ["length"]],
    // Seven characters, of which one takes two UTF-16 units.
    ["Aa1aaa😀", ["length"]],
    ["aa1!aaaa", ["upper"]],
    ["AA1!AAAA", ["lower"]],
    ["Aaa!aaaa", ["digit"]],
    ["Aa1aaaaa", ["special"]],
    // Neither a space, nor a fraction, nor an accent of its own is special.
    ["Aa1 aa½e\u0301", ["special"]],
    [" Aa1!aaaa", ["text"]],
    ["Aa1!aaaa\n", ["text"]],
    ["Aa1!\u0000aaaa", ["text"]],
    ["Aa1!aaaa\ud83d", ["text"]],
    ["", ["length", "upper", "lower", "digit", "special"]],
    ["abc", ["length", "upper", "digit", "special"]],
  ])("are broken by %j: %j", (password, codes) => {
    expect(broken(password)).toEqual(codes);
  });

  it("say what is wrong without the password", () => {
    const said = JSON.stringify(brokenPasswordRules(new Secret("qzxwv")));
    expect(said).toContain("fewer than 8 characters");
    expect(said).not.toContain("qzxwv");
  });
});
