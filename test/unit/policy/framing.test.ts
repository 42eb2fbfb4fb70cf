import { describe, expect, it } from "vitest";

import { checkFraming } from "../../../src/policy/framing.ts";

function refusal(method: string, rawHeaders: readonly string[]): string {
  const verdict = checkFraming(method, ["Host", "localhost", ...rawHeaders, "Accept", "*/*"]);
  return verdict.ok ? "accepted" : `${verdict.code}: ${verdict.detail}`;
}

describe("checkFraming", () => {
  it.each([
    ["POST", ["Content-Length", "57"]],
    ["POST", ["Content-Length", "0"]],
    ["POST", ["Transfer-Encoding", "chunked"]],
    ["POST", ["transfer-encoding", "Chunked"]],
    ["POST", []],
    ["DELETE", ["Content-Length", "2"]],
    ["GET", []],
    ["GET", ["Content-Length", "0"]],
    ["HEAD", ["Content-Length", "0"]],
    ["GET", ["Connection", "Upgrade", "HTTP2-Settings", "AAMAAABkAAQAAP__"]],
    ["GET", ["Upgrade-Insecure-Requests", "1"]],
    ["GET", ["Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABk"]],
    ["POST", ["Upgrade", "H2C", "Content-Length", "2"]],
  ])("accepts %s with %j", (method, rawHeaders) => {
    expect(refusal(method, rawHeaders)).toBe("accepted");
  });

  it.each([
    ["GET", ["Content-Length", "1"], "no body"],
    ["GET", ["Transfer-Encoding", "chunked"], "no body"],
    ["HEAD", ["Content-Length", "1"], "no body"],
    ["POST", ["Transfer-Encoding", "gzip, chunked"], "chunked"],
    ["POST", ["Transfer-Encoding", "chunked, chunked"], "chunked"],
    ["POST", ["Transfer-Encoding", "identity"], "chunked"],
    ["POST", ["Transfer-Encoding", "xchunked"], "chunked"],
    ["POST", ["Transfer-Encoding", "\x0bchunked"], "chunked"],
    ["POST", ["Transfer-Encoding", "chunked;a=b"], "chunked"],
    ["POST", ["Transfer-Encoding", ""], "chunked"],
    ["POST", ["Transfer-Encoding", "chunked", "transfer-encoding", "chunked"], "more than one"],
    ["POST", ["Transfer-Encoding", "", "Transfer-Encoding", "chunked"], "more than one"],
    ["POST", ["Content-Length", "5", "Transfer-Encoding", "chunked"], "both"],
    ["POST", ["TRANSFER-ENCODING", "chunked", "CONTENT-LENGTH", "0"], "both"],
    ["POST", ["Content-Length", "5", "Content-Length", "6"], "more than one"],
    ["POST", ["Content-Length", "5", "content-length", "5"], "more than one"],
    ["POST", ["Content-Length", "5, 5"], "whole number"],
    ["POST", ["Content-Length", ""], "whole number"],
    ["POST", ["Content-Length", "+5"], "whole number"],
    ["POST", ["Content-Length", "-5"], "whole number"],
    ["POST", ["Content-Length", "0x5"], "whole number"],
    ["POST", ["Content-Length", "5.0"], "whole number"],
    ["POST", ["Content-Length", "5e3"], "whole number"],
    ["POST", ["Content-Length", " 5"], "whole number"],
    ["POST", ["Content-Length", "\u0665"], "whole number"],
    ["POST", ["Content-Length", "9999999999999999"], "whole number"],
  ])("refuses %s with %j", (method, rawHeaders, reason) => {
    expect(refusal(method, rawHeaders)).toMatch(/^bad-request: /);
    expect(refusal(method, rawHeaders)).toContain(reason);
  });

  it("judges what stands behind an Upgrade to h2c like everything else", () => {
    expect(refusal("GET", ["Upgrade", "h2c", "Content-Length", "1"])).toContain("no body");
    expect(refusal("GET", ["Upgrade", "h2c", "Upgrade", "websocket"])).toContain("HTTP/1.1 only");
  });

  it.each(["websocket", "TLS/1.0", "", "h2", "h2c, websocket", "websocket, h2c", "h2c/1"])(
    "refuses any other Upgrade: %j",
    (protocol) => {
      expect(refusal("GET", ["upgrade", protocol])).toMatch(/bad-request: .*Upgrade.*HTTP\/1\.1 only/);
    },
  );

  it("refuses chunks in a request of HTTP/1.0, which knows none (RFC 9112 section 6.1)", () => {
    const chunked = ["Host", "localhost", "Transfer-Encoding", "chunked"];
    expect(checkFraming("POST", chunked, "1.0")).toMatchObject({ ok: false, code: "bad-request" });
    expect(checkFraming("POST", ["Content-Length", "5"], "1.0")).toEqual({ ok: true });
    expect(checkFraming("POST", chunked, "1.1")).toEqual({ ok: true });
  });
});
