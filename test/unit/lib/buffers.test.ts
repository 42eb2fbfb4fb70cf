import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ByteList } from "../../../src/lib/buffers.ts";

describe("a byte list", () => {
  it("gives back what came, in order, however it was cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 40 }), (chunks) => {
        const list = new ByteList();
        for (const chunk of chunks) list.add(Buffer.from(chunk));
        expect(list.takeWhole().equals(Buffer.concat(chunks))).toBe(true);
        expect(list.take()).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps bytes that come one by one in few pieces", () => {
    const list = new ByteList();
    for (let index = 0; index < 100_000; index += 1) list.add(Buffer.from("x"));
    expect(list.take().length).toBeLessThan(10);
  });

  it("does not copy a chunk that came alone", () => {
    const list = new ByteList();
    const chunk = Buffer.from("{}");
    list.add(chunk);
    expect(list.takeWhole()).toBe(chunk);
  });
});
