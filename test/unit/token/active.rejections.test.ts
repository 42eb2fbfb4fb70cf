import { describe, expect, it } from "vitest";

import { createRejections } from "../../../src/token/active.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const who = {};

/** Milliseconds from one try to the next, where each is answered at once with another 401. */
async function gaps(count: number, random: number, change?: number): Promise<number[]> {
  const clock = createHandClock();
  const rejections = createRejections(clock, () => random);
  rejections.add("token");
  const found: number[] = [];
  for (let tries = 0; tries < count; tries += 1) {
    if (tries === change) rejections.startAnew();
    const waitMs = rejections.nextTryAt("token") - clock.monotonic();
    await clock.advance(waitMs - 1);
    expect(rejections.claim("token", who)).toBe(false);
    await clock.advance(1);
    expect(rejections.claim("token", who)).toBe(true);
    rejections.add("token");
    rejections.release("token", who);
    found.push(waitMs);
  }
  return found;
}

describe("a token that is known to be rejected is tried", () => {
  it("three times, 5 s apart, and then ever more seldom, up to every 30 s", async () => {
    expect(await gaps(8, 1)).toEqual([5_000, 5_000, 5_000, 10_000, 20_000, 30_000, 30_000, 30_000]);
  });

  it("not in step with other processes", async () => {
    expect(await gaps(6, 0)).toEqual([5_000, 5_000, 5_000, 7_500, 15_000, 22_500]);
  });

  it("as at first again once the record has changed", async () => {
    expect(await gaps(7, 1, 5)).toEqual([5_000, 5_000, 5_000, 10_000, 20_000, 5_000, 5_000]);
  });
});
