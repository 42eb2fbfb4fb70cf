import { describe, expect, it } from "vitest";

import { backOffMs } from "../../../src/lib/async.ts";

const backOff = { firstMs: 100, mostMs: 5_000 };

describe("back-off", () => {
  it("doubles with each failure, up to the most, however many there were", () => {
    const waits = [1, 2, 3, 6, 7, 50, 5_000].map((tries) => backOffMs(backOff, tries, 1));
    expect(waits).toEqual([100, 200, 400, 3_200, 5_000, 5_000, 5_000]);
  });

  it("lies between half of the wait and all of it, so that many do not come at the same moment", () => {
    expect([0, 0.5, 1].map((random) => backOffMs(backOff, 2, random))).toEqual([100, 150, 200]);
  });
});
