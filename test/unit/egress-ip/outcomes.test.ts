import { Readable } from "node:stream";

import { describe, expect, it } from "vitest";

import { ConnectError, toConnectError } from "../../../src/connect/errors.ts";
import { kindOfResponse, kindOfFailure, kindOfOwnResponse } from "../../../src/egress-ip/outcomes.ts";
import { Problem } from "../../../src/errors.ts";

const json = ["Content-Type", "application/json"];
const html = ["content-type", "text/html; charset=utf-8"];
const plain = ["Content-Type", "text/plain"];

function coded(code: string): Error {
  return Object.assign(new Error("x"), { code });
}

describe("an answer of Presto's", () => {
  it.each([
    [200, json, "{}", "accepted"],
    [200, [], "[]", "accepted"],
    [200, ["content-type", "application/problem+json"], "x", "accepted"],
    [204, [], "", "accepted"],
    [201, plain, "text", "accepted"],
    [200, html, "<html>", "block-page"],
    [200, [], " \n<!doctype html>", "block-page"],
    [401, json, "{}", "token-refused"],
    [401, [], "", "token-refused"],
    [401, html, "<html>", "unclear"],
    [403, json, "{}", "forbidden"],
    [403, [], "", "forbidden"],
    [403, plain, "no", "forbidden"],
    [403, html, "<html>", "block-page"],
    [404, json, "{}", "app-refused"],
    [422, json, "{}", "app-refused"],
    [404, html, "<html>", "block-page"],
    [406, html, "<html>", "block-page"],
    [404, plain, "not found", "unclear"],
    [429, json, "{}", "rate-limited"],
    [429, html, "<html>", "unclear"],
    [429, [], "", "unclear"],
    [301, html, "<html>", "unclear"],
    [302, [], "", "unclear"],
    [500, json, "{}", "failing"],
    [502, html, "<html>", "failing"],
    [503, json, "{}", "failing"],
    [504, [], "", "failing"],
  ])("%i with %j and %j is %s", (status, headers, body, kind) => {
    expect(kindOfResponse({ status, headers, body: Buffer.from(body) })).toBe(kind);
  });

  it("that is streamed is judged by its type", () => {
    expect(kindOfResponse({ status: 200, headers: html, body: Readable.from([]) })).toBe("block-page");
    expect(kindOfResponse({ status: 200, headers: json, body: Readable.from([]) })).toBe("accepted");
    expect(kindOfResponse({ status: 403, headers: [], body: Readable.from([]) })).toBe("forbidden");
  });

  it("to a call without the token in use tells nothing of that token", () => {
    expect(kindOfOwnResponse({ status: 401, headers: json, body: Buffer.from("{}") })).toBe("app-refused");
    expect(kindOfOwnResponse({ status: 403, headers: json, body: Buffer.from("{}") })).toBe("forbidden");
  });
});

describe("a failure", () => {
  it.each([
    [toConnectError(coded("ECONNRESET")), "reset"],
    [toConnectError(coded("ECONNREFUSED")), "refused"],
    [toConnectError(coded("ETIMEDOUT")), "timed-out"],
    [toConnectError(coded("ENOTFOUND")), "unclear"],
    [toConnectError(coded("ENETUNREACH")), "unclear"],
    [toConnectError(coded("CERT_HAS_EXPIRED")), "unclear"],
    [new ConnectError("unreachable", "x", "connection_terminated", undefined, "egress-proxy"), "unclear"],
    [new ConnectError("unreachable", "x", "connection_refused", undefined, "egress-proxy"), "unclear"],
    [new ConnectError("timeout", "x", "connection_timeout", undefined, "egress-proxy"), "unclear"],
    [new ConnectError("timeout", "x", "connection_timeout", undefined, "presto"), "timed-out"],
    [new ConnectError("timeout", "x", "dns_timeout", undefined, "presto"), "unclear"],
    [new Problem("upstream-broken", { detail: "x", proxyStatus: "connection_terminated" }), "reset"],
    [new Problem("upstream-broken", { detail: "x" }), "failing"],
    [new Problem("upstream-timeout", { detail: "x" }), "timed-out"],
    [
      new Problem("upstream-unreachable", { detail: "x", cause: toConnectError(coded("ECONNRESET")) }),
      "reset",
    ],
    [new Problem("no-token", { detail: "x" }), "unclear"],
    [new Error("x"), "unclear"],
    [undefined, "unclear"],
  ])("%o is sorted", (error, kind) => {
    expect(kindOfFailure(error)).toBe(kind);
  });
});
