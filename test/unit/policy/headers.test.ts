import { describe, expect, it } from "vitest";

import { readRequestId, selectReplyHeaders, selectRequestHeaders } from "../../../src/policy/headers.ts";

const upstream = { host: "presto.example", port: 443 };

describe("selectRequestHeaders", () => {
  it("leaves of a plain client's request what Presto needs", () => {
    const sent = [
      ["Host", "127.0.0.1:7380"],
      ["Connection", "keep-alive"],
      ["content-type", "application/json;  charset=UTF-8"],
      ["Authorization", "Bearer mine"],
      ["Content-Length", "57"],
      ["User-Agent", "app/1"],
      ["Sec-Fetch-Mode", "cors"],
      ["X_App", "a"],
    ].flat();
    expect(selectRequestHeaders(sent)).toEqual(
      [
        ["content-type", "application/json;  charset=UTF-8"],
        ["User-Agent", "app/1"],
        ["Sec-Fetch-Mode", "cors"],
      ].flat(),
    );
  });

  it("gives a new list, and leaves the old one alone", () => {
    const sent = ["Accept", "a", "Host", "b"];
    expect(selectRequestHeaders(sent)).not.toBe(sent);
    expect(sent).toEqual(["Accept", "a", "Host", "b"]);
    expect(selectRequestHeaders([])).toEqual([]);
  });
});

describe("selectReplyHeaders", () => {
  it("leaves of a plain reply what the caller needs", () => {
    const sent = [
      ["Server", "nginx"],
      ["Date", "Tue, 24 Nov 2026 10:00:00 GMT"],
      ["Content-Type", "application/json"],
      ["Content-Length", "134"],
      ["Connection", "X-Hop, close"],
      ["X-Hop", "1"],
      ["Set-Cookie", "a=b"],
      ["Location", "https://presto.example/api/x"],
      ["WWW-Authenticate", "Bearer"],
      ["Vary", "Accept"],
      ["Vary", "Origin"],
      ["x_app", "a"],
    ].flat();
    expect(selectReplyHeaders(sent, upstream)).toEqual(
      [
        ["Server", "nginx"],
        ["Date", "Tue, 24 Nov 2026 10:00:00 GMT"],
        ["Content-Type", "application/json"],
        ["Location", "/api/x"],
        ["WWW-Authenticate", "Bearer"],
        ["Vary", "Accept"],
        ["Vary", "Origin"],
      ].flat(),
    );
  });

  it("drops a Location that leads away, whichever line it is on", () => {
    const sent = ["Location", "/a", "LOCATION", "//evil.example", "Content-Location", "http://a/"];
    expect(selectReplyHeaders(sent, upstream)).toEqual(["Location", "/a"]);
  });
});

describe("readRequestId", () => {
  it.each(["a", "A-Z.a_z-09", "6fd1a1f2-2b0f-4c0e-9d4e-000000000001", "x".repeat(128)])(
    "keeps the caller's: %s",
    (id) => {
      expect(readRequestId(["Host", "a", "X-REQUEST-id", id])).toBe(id);
    },
  );

  it.each(["", "x".repeat(129), "a b", "a~b", "a,b", "a/b", "a\n", "\xe9", "a%20"])(
    "takes no other: %j",
    (id) => {
      expect(readRequestId(["X-Request-Id", id])).toBeUndefined();
    },
  );

  it("takes none of several, not even of equal ones", () => {
    expect(readRequestId(["X-Request-Id", "a", "x-request-id", "a"])).toBeUndefined();
    expect(readRequestId(["X-Request-Id", "a", "x-request-id", "", "X-Request-Id", "a"])).toBeUndefined();
    expect(readRequestId(["X-Request-Ix", "a"])).toBeUndefined();
  });
});
