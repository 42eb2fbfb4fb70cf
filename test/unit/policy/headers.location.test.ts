import { describe, expect, it } from "vitest";

import { relativeLocation } from "../../../src/policy/headers.ts";

const upstream = { host: "presto.example", port: 443 };

describe("relativeLocation", () => {
  it.each([
    ["/api/x?a=//b#c", "/api/x?a=//b#c"],
    ["https://presto.example/api/x", "/api/x"],
    ["HTTPS://Presto.Example:443/api/x?y", "/api/x?y"],
    ["https://presto.example", "/"],
    ["https://presto.example?a", "/?a"],
    ["https://presto.example#a", "/#a"],
    ["x/y", "x/y"],
    ["../x", "../x"],
    ["./a:b", "./a:b"],
    ["?a=https://evil.example", "?a=https://evil.example"],
    ["#a", "#a"],
  ])("of %s is %s", (value, reference) => {
    expect(relativeLocation(value, upstream)).toBe(reference);
  });

  it.each([
    "",
    "//evil.example/x",
    "///evil.example/x",
    "/\\evil.example/x",
    "\\\\evil.example/x",
    "/\t/evil.example",
    "\t//evil.example",
    " /x",
    "/x\r\nSet-Cookie: a=b",
    "/\xe9",
    "/..//evil.example/x",
    "/.//evil.example",
    ".//evil.example",
    "http://presto.example/x",
    "https://evil.example/x",
    "https://presto.example:8443/x",
    "https://presto.example.evil.example/x",
    "https://presto.example./x",
    "https://presto.example@evil.example/x",
    "https://a:b@presto.example/x",
    "https://presto.example\\@evil.example",
    "https://presto.example//evil.example/x",
    "https:///presto.example/x",
    "https:/presto.example/x",
    "https:presto.example/x",
    "https://",
    "ftp://presto.example/x",
    "javascript:alert(1)",
    "data:text/html,x",
    "a:b",
  ])("is dropped: %j", (value) => {
    expect(relativeLocation(value, upstream)).toBeUndefined();
  });

  it("knows that without a port 443 is meant", () => {
    const sandbox = { host: "localhost", port: 7443 };
    expect(relativeLocation("https://localhost:7443/x", sandbox)).toBe("/x");
    expect(relativeLocation("https://localhost/x", sandbox)).toBeUndefined();
    expect(relativeLocation("https://[::1]:7443/x", { host: "::1", port: 7443 })).toBe("/x");
    expect(relativeLocation("https://[::1]/x", { host: "::1", port: 7443 })).toBeUndefined();
  });
});
