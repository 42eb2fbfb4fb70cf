import { describe, expect, it } from "vitest";

import { checkTarget, createOwnAuthority } from "../../../src/policy/target.ts";

const isOwn = createOwnAuthority({ host: "Presto.example", port: 443 });
const confirm = "/api/institutions/v1/wallet/confirm";

describe("checkTarget", () => {
  it("gives path and target of an origin form as they came", () => {
    expect(checkTarget(confirm, isOwn)).toEqual({ ok: true, target: confirm, path: confirm });
  });

  it("accepts every unreserved character in the path", () => {
    const path = "/ABCXYZ/abcxyz/0189/-._~/a..b/.a/a./...";
    expect(checkTarget(path, isOwn)).toEqual({ ok: true, target: path, path });
  });

  it("accepts the root, which is canonical", () => {
    expect(checkTarget("/", isOwn)).toEqual({ ok: true, target: "/", path: "/" });
  });

  it.each(["?", "?a=b", "?a=%2f%2F%00&b", "?a=b?c=d", "?/../..//auth", "?!\"$&'()*+,-./:;<=>@[]^_`{|}~"])(
    "forwards the query byte for byte, and leaves it out of the path: %s",
    (query) => {
      const target = confirm + query;
      expect(checkTarget(target, isOwn)).toEqual({ ok: true, target, path: confirm });
      expect(checkTarget(`/${query}`, isOwn)).toEqual({ ok: true, target: `/${query}`, path: "/" });
    },
  );

  it.each([
    "http://presto.example",
    "https://presto.example",
    "HTTP://presto.example",
    "Https://PRESTO.EXAMPLE",
    "http://presto.example:443",
  ])("turns the absolute form to the upstream's own name into origin form: %s", (own) => {
    expect(checkTarget(`${own}${confirm}?a=b`, isOwn)).toEqual({
      ok: true,
      target: `${confirm}?a=b`,
      path: confirm,
    });
  });

  it.each([
    ["*", "asterisk"],
    ["presto.example:443", "neither a path nor"],
    ["http://evil.example/a", "another host"],
    ["http://a@presto.example/a", "user name"],
    ["http://presto.example?a", "without a path"],
    ["/a//b", "empty segment"],
    ["/a/", "empty segment"],
    ["//a", "empty segment"],
    ["/a/../b", '".."'],
    ["/a/%62", "percent sign"],
    ["/a#b", "fragment"],
    ["/a;b", "not allowed"],
    ["/a?b#c", "fragment"],
    ["/a?b c", "query"],
    ["/a?%4", "two hexadecimal digits"],
  ])("says what is wrong with %s", (target, reason) => {
    const verdict = checkTarget(target, isOwn);
    expect(verdict.ok ? "accepted" : verdict.detail).toContain(reason);
  });
});
