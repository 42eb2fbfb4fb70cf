import { describe, expect, it } from "vitest";

import { createOwnAuthority, hostOf } from "../../../src/policy/target.ts";

describe("createOwnAuthority", () => {
  it.each([
    ["presto.example", true],
    ["PRESTO.example:443", true],
    ["presto.example:80", false],
    ["presto.example:", false],
    ["presto.example.", false],
    ["a@presto.example", false],
    ["", false],
  ])("knows the name, alone or with the port that calls go to: %j is %j", (authority, own) => {
    expect(createOwnAuthority({ host: "Presto.Example", port: 443 })(authority)).toBe(own);
  });

  it("puts an IPv6 address into brackets", () => {
    const isOwn = createOwnAuthority({ host: "::1", port: 7443 });
    expect(["[::1]", "[::1]:7443"].map(isOwn)).toEqual([true, true]);
    expect(["::1", "::1:7443", "[::1]:443"].map(isOwn)).toEqual([false, false, false]);
  });
});

describe("hostOf", () => {
  it.each([
    ["localhost", "localhost"],
    ["LocalHost:1", "localhost"],
    ["a.b:65535", "a.b"],
    ["[::1]", "[::1]"],
    ["[::1]:9", "[::1]"],
    ["a:0", undefined],
    ["a:01", undefined],
    ["a:65536", undefined],
    ["a:", undefined],
    ["a:b", undefined],
    ["[::1]x", undefined],
  ])("of %j is %j", (authority, host) => {
    expect(hostOf(authority)).toBe(host);
  });
});
