import { describe, expect, it } from "vitest";

import { faultOfEmail, faultOfPassword } from "../../../src/store/credentials.ts";

describe("an e-mail address", () => {
  it.each(["a@b", "first.last+tag@institution.example", "jürgen@bücher.example", `${"x".repeat(250)}@b.c`])(
    "%s may be one",
    (text) => {
      expect(faultOfEmail(text)).toBeUndefined();
    },
  );

  it.each([
    ["", "is empty"],
    ["a", "one @"],
    ["@b", "one @"],
    ["a@", "one @"],
    ["a@b@c", "one @"],
    [" a@b", "space"],
    ["a@b ", "space"],
    ["a@b\nc@d", "line end"],
    ["a\u00a0@b", "space"],
    ["a@b\u0000", "control"],
    ["a\u007f@b", "control"],
    ["\ufeffa@b", "byte order mark"],
    ["a\ufffd@b", "UTF-8"],
    ["a\ud800@b", "UTF-8"],
    [`${"x".repeat(251)}@b.c`, "longer than"],
  ])("%j is none: %s", (text, why) => {
    expect(faultOfEmail(text)).toContain(why);
  });
});

describe("a password", () => {
  it.each(["x", " ", "two words", "a\nb", "pä$$wörd 🔑", "\ue000", "x".repeat(4096)])(
    "%j may be one",
    (text) => {
      expect(faultOfPassword(text)).toBeUndefined();
    },
  );

  it.each([
    ["", "is empty"],
    ["\ud83d", "UTF-8"],
    ["a\ufffdb", "UTF-8"],
    ["\ufeffabc", "byte order mark"],
    ["a\0b\0", "NUL"],
    ["x".repeat(4097), "longer than"],
  ])("%j is none: %s", (text, why) => {
    expect(faultOfPassword(text)).toContain(why);
  });
});
