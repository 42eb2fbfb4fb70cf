import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { largestForm, multipartTypeOf, multipartValues } from "../../../src/upstream/multipart.ts";
import { readMultipartReferences } from "../../../src/upstream/references.ts";

const type = "multipart/form-data; boundary=----0123456789abcdef0123456789abcdef";

function part(head: string, value: string): string {
  return `------0123456789abcdef0123456789abcdef\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
}
const end = "------0123456789abcdef0123456789abcdef--\r\n";

const read = (text: string, name = "ref"): Promise<readonly string[] | undefined> =>
  multipartValues(Buffer.from(text), type, name);

describe("a multipart form", () => {
  it("gives every value of a field, a file's content too", async () => {
    const text = `preamble\r\n${part('name="ref"', "A")}${part('name="x"', "B")}${part('name="ref"; filename="a.txt"', "C")}${end}epilogue`;
    expect(await read(text)).toEqual(["A", "C"]);
    expect(await read(text, "none")).toEqual([]);
  });

  it.each([
    ["cut", part('name="ref"', "A")],
    ["without its boundary", "ref=A"],
    ["without a name", `${part("x", "A")}${end}`],
    ["empty", ""],
  ])("is refused where it is %s", async (_what, text) => {
    expect(await read(text)).toBeUndefined();
  });

  it("is not looked into where it is too large", async () => {
    expect(await read(`${part('name="ref"', "A".repeat(largestForm))}${end}`)).toBeUndefined();
  });

  it("is told by its type, whatever the letter case", () => {
    expect(multipartTypeOf(["Content-TYPE", "Multipart/Form-Data; boundary=x"])).toBe(
      "Multipart/Form-Data; boundary=x",
    );
    expect(multipartTypeOf(["content-type", "multipart/mixed; boundary=x"])).toBeUndefined();
    expect(multipartTypeOf(["x", "multipart/form-data"])).toBeUndefined();
  });

  it("never throws and never hangs, whatever it holds", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.string(), async (bytes, boundary) => {
        const content = Buffer.concat([Buffer.from(part('name="ref"', "")), bytes, Buffer.from(end)]);
        await multipartValues(content, type, "ref");
        await multipartValues(content, `multipart/form-data; boundary=${boundary}`, "ref");
      }),
      { numRuns: 2_000 },
    ));

  it("names the references of a call, beside those of its query", async () => {
    const call = {
      headers: ["content-type", type],
      body: Buffer.from(`${part('name="ref"', " t1 ")}${end}`),
      target: "/pay?ref=T2",
    };
    const named = await readMultipartReferences(call, "ref");
    expect(named?.references.map(({ key }) => key)).toEqual(["t2", "t1"]);
    expect(readMultipartReferences({ ...call, headers: [] }, "ref")).toBeUndefined();
  });
});
