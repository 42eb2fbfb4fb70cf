import { describe, expect, it } from "vitest";

import { AddressAnswerError, readAddress } from "../../../src/egress-ip/check-url.ts";

function answer(body: string | Buffer, headers: string[] = [], status = 200) {
  return { status, headers, body: Buffer.isBuffer(body) ? body : Buffer.from(body) };
}

const text = ["Content-Type", "text/plain; charset=utf-8"];
const json = ["content-type", "application/json"];
const html = ["Content-Type", "text/html"];

function refusal(given: ReturnType<typeof answer>): AddressAnswerError {
  try {
    readAddress(given);
  } catch (error) {
    if (error instanceof AddressAnswerError) return error;
    throw error;
  }
  throw new Error("the answer was accepted");
}

describe("a check URL's answer", () => {
  it.each([
    ["203.0.113.7", text, "203.0.113.7"],
    ["203.0.113.7\n", text, "203.0.113.7"],
    ["  203.0.113.7\r\n", [], "203.0.113.7"],
    ["2001:DB8::7\n", text, "2001:db8::7"],
    ["::ffff:203.0.113.7", text, "203.0.113.7"],
    ['{"ip":"203.0.113.7"}', json, "203.0.113.7"],
    [
      '{"ip":"203.0.113.7","country":"LY"}',
      ["Content-Type", "Application/JSON; charset=utf-8"],
      "203.0.113.7",
    ],
    ['{"ip":"2001:db8::7"}', text, "2001:db8::7"],
    [' {"ip": "203.0.113.7"}\n', [], "203.0.113.7"],
    ["203.0.113.7", ["Content-Type", "text/plain", "Content-Encoding", "identity"], "203.0.113.7"],
  ])("%j is an address", (body, headers, address) => {
    expect(readAddress(answer(body, headers)).text).toBe(address);
  });

  it.each([
    ["<html>203.0.113.7</html>", [], 200, "html"],
    ["<!doctype html>", text, 200, "html"],
    ["203.0.113.7", html, 200, "html"],
    ["203.0.113.7", ["content-type", "application/xhtml+xml"], 200, "html"],
    ["", text, 200, "not-an-address"],
    ["203.0.113.7 198.51.100.1", text, 200, "not-an-address"],
    ["203.0.113.7,198.51.100.1", text, 200, "not-an-address"],
    ["203.0.113", text, 200, "not-an-address"],
    ["203.0.113.7:443", text, 200, "not-an-address"],
    ["0.0.0.0", text, 200, "not-an-address"],
    ["your address is 203.0.113.7", text, 200, "not-an-address"],
    ["203.0.113.7\u0000", text, 200, "not-an-address"],
    ["203.0.113.٧", text, 200, "not-an-address"],
    ["203.0.113.7", ["Content-Encoding", "gzip"], 200, "not-an-address"],
    ["203.0.113.7", json, 200, "not-json"],
    ['"203.0.113.7"', json, 200, "not-json"],
    ['["203.0.113.7"]', json, 200, "not-json"],
    ["{ip: 203.0.113.7}", text, 200, "not-json"],
    ['{"ip":', json, 200, "not-json"],
    ["{}", json, 200, "no-ip"],
    ['{"IP":"203.0.113.7"}', json, 200, "no-ip"],
    ['{"ip":203}', json, 200, "no-ip"],
    ['{"ip":["203.0.113.7"]}', json, 200, "no-ip"],
    ['{"ip":"somewhere"}', json, 200, "not-an-address"],
    ["203.0.113.7", text, 404, "status"],
    ["203.0.113.7", text, 204, "status"],
    ["203.0.113.7", text, 301, "status"],
    ["203.0.113.7", text, 503, "status"],
    [`203.0.113.7${" ".repeat(4096)}`, text, 200, "too-large"],
  ])("%j with %j and status %i is none: %s", (body, headers, status, code) => {
    const error = refusal(answer(body, headers, status));
    expect(error.code).toBe(code);
  });

  it("may be 4 KiB long", () => {
    const padded = `203.0.113.7${" ".repeat(4096 - 11)}`;
    expect(readAddress(answer(padded)).text).toBe("203.0.113.7");
  });

  it("is quoted in no message: it is a stranger's", () => {
    const marked = ["MARKED", "<b>MARKED</b>", '{"ip":"MARKED"}', '{"MARKED":1}', "{MARKED"];
    for (const body of marked) expect(refusal(answer(body)).message).not.toContain("MARKED");
  });

  it("has a message of its own for a page, and for a redirect", () => {
    expect(refusal(answer("<html>")).message).toContain("HTML page");
    expect(refusal(answer("", [], 302)).message).toContain("redirect (302), which is not followed");
  });
});
