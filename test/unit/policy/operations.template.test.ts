import { describe, expect, it } from "vitest";

import { fits, readTemplate } from "../../../src/policy/operations.ts";

function fitsTemplate(text: string, path: string): boolean {
  const read = readTemplate(text);
  if (!read.ok) throw new Error(read.fault);
  return fits(read.template, path);
}

describe("readTemplate", () => {
  it.each([
    ["/a/b", ["/a/b"]],
    ["/a/{x}", ["/a/", ""]],
    ["/{x}/b", ["/", "/b"]],
    ["/{x}/{y_2}/b/{z}", ["/", "/", "/b/", ""]],
  ])("takes %s apart", (text, pieces) => {
    expect(readTemplate(text)).toEqual({ ok: true, template: { pieces } });
  });

  it.each([
    ["a/b", "begin with a slash"],
    ["", "begin with a slash"],
    ["/", "empty segment"],
    ["/a//b", "empty segment"],
    ["/a/", "empty segment"],
    ["/a/./b", '"."'],
    ["/a/../b", '".."'],
    ["/a/*", "wildcards"],
    ["/a/%62", "letters, digits"],
    ["/a/b?c", "letters, digits"],
    ["/a/{}", "{name}"],
    ["/a/{x", "{name}"],
    ["/a/x{y}", "{name}"],
    ["/a/{x}{y}", "{name}"],
    ["/a/{x y}", "{name}"],
    ["/v1/auth/token", "auth"],
  ])("says what is wrong with %j", (text, reason) => {
    const read = readTemplate(text);
    expect(read.ok ? "read" : read.fault).toContain(reason);
  });
});

describe("fits", () => {
  it.each([
    ["/a/{x}", "/a/b"],
    ["/a/{x}", "/a/-._~"],
    ["/a/{x}", "/a/..."],
    ["/a/{x}", "/a/.b"],
    ["/a/{x}", "/a/author"],
    ["/a/{x}", `/a/${"b".repeat(128)}`],
    ["/{x}/b/{y}", "/a/b/c"],
    ["/{x}/{y}", "/a/b"],
  ])("%s takes %s", (template, path) => {
    expect(fitsTemplate(template, path)).toBe(true);
  });

  it.each([
    ["/a/{x}", "/a"],
    ["/a/{x}", "/a/"],
    ["/a/{x}", "/a/b/c"],
    ["/a/{x}", "/A/b"],
    ["/a/{x}", "/a/b/"],
    ["/a/{x}", "/a/."],
    ["/a/{x}", "/a/.."],
    ["/a/{x}", "/a/Auth"],
    ["/a/{x}", "/a/auth."],
    ["/a/{x}", "/a/b%2fc"],
    ["/a/{x}", "/a/b;c"],
    ["/a/{x}", "/a/{x}"],
    ["/a/{x}", `/a/${"b".repeat(129)}`],
    ["/{x}/b", "/a/bb"],
    ["/{x}/b", "/a/b/c"],
    ["/{x}/b", "//b"],
  ])("%s does not take %s", (template, path) => {
    expect(fitsTemplate(template, path)).toBe(false);
  });
});
