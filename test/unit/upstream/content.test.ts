import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { contentOf, largestContent, parseJson } from "../../../src/upstream/content.ts";

const text = '{"data":{"token":"1111|abc"}}';
const plain = Buffer.from(text);

describe("the content of an answer is read", () => {
  it.each([
    ["gzip", gzipSync(plain)],
    ["GZIP", gzipSync(plain)],
    ["x-gzip", gzipSync(plain)],
    ["deflate", deflateSync(plain)],
    ["deflate", deflateRawSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["zstd", zstdCompressSync(plain)],
    ["identity", plain],
    ["", plain],
    ["gzip, br", brotliCompressSync(gzipSync(plain))],
    [" identity ,gzip", gzipSync(plain)],
  ])("through the coding %j", (coding, body) => {
    expect(contentOf(["content-type", "x", "Content-Encoding", coding], body)?.toString()).toBe(text);
  });

  it("through codings in several fields, in their order", () => {
    const body = brotliCompressSync(gzipSync(plain));
    expect(contentOf(["content-encoding", "gzip", "Content-Encoding", "br"], body)?.toString()).toBe(text);
  });

  it("as it is where no coding is named", () => {
    expect(contentOf(["content-type", "gzip"], plain)).toBe(plain);
  });
});

describe("the content of an answer is not read", () => {
  const bomb = Buffer.alloc(64 * 1024 * 1024);
  it.each([
    ["a coding that nobody knows", "compress", plain],
    ["a name that every object has", "constructor", plain],
    ["another coding than the one named", "gzip", plain],
    ["half of it", "gzip", gzipSync(plain).subarray(0, -9)],
    ["more than any answer has", "gzip", gzipSync(Buffer.alloc(largestContent + 1))],
    ["a bomb of gzip", "gzip", gzipSync(bomb)],
    ["a bomb of deflate", "deflate", deflateSync(bomb)],
    ["a bomb of br", "br", brotliCompressSync(bomb)],
    ["a bomb of zstd", "zstd", zstdCompressSync(bomb)],
    ["a bomb in a bomb", "gzip, gzip", gzipSync(gzipSync(bomb))],
    ["four codings on top of each other", "gzip,gzip,gzip,gzip", plain],
  ])("where it is %s, and that costs no time", (_what, coding, body) => {
    // Of this thread alone: a machine may have other things to do.
    const before = process.threadCpuUsage();
    expect(contentOf(["content-encoding", coding], body)).toBeUndefined();
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(100);
  });

  it("but is where it is as large as may be", () => {
    const body = gzipSync(Buffer.alloc(largestContent));
    expect(contentOf(["content-encoding", "gzip"], body)?.length).toBe(largestContent);
  });
});

describe("JSON is read", () => {
  const value = { name: "Zoë" };
  const json = JSON.stringify(value);
  it.each([
    ["in UTF-8", Buffer.from(json)],
    ["after a byte order mark", Buffer.from(`\uFEFF${json}`)],
    ["in UTF-16 that says so", Buffer.from(`\uFEFF${json}`, "utf16le")],
    ["in UTF-16 the other way round", Buffer.from(`\uFEFF${json}`, "utf16le").swap16()],
  ])("%s", (_what, bytes) => {
    expect(parseJson(bytes)).toEqual(value);
  });

  it.each([
    undefined,
    Buffer.alloc(0),
    Buffer.from("{"),
    Buffer.from([0xff, 0xfe]),
    Buffer.from("\uFEFF\uFEFF{}"),
  ])("and %j is none", (bytes) => {
    expect(parseJson(bytes)).toBeUndefined();
  });
});
