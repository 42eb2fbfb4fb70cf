import { describe, expect, it } from "vitest";

import { retryForever } from "../../../src/lib/async.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { follow } from "../../support/renewal-bench.ts";

describe("what must be done before anything else", () => {
  it("is tried again, ever more slowly, until it works", async () => {
    const clock = createHandClock();
    const at: number[] = [];
    const work = async () => {
      at.push(clock.monotonic());
      if (at.length < 9) throw new Error("not yet");
      return "done";
    };
    const result = follow(retryForever({ clock, random: () => 1 }, new AbortController().signal, work));
    await clock.advance(60_000);
    expect(result.now).toBe("done");
    expect(at).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300]);
  });

  it("is given up with the signal's reason", async () => {
    const clock = createHandClock();
    const stop = new AbortController();
    const result = follow(
      retryForever({ clock, random: () => 1 }, stop.signal, () => Promise.reject(new Error("not yet"))),
    );
    await clock.advance(1_000);
    stop.abort(new Error("asked to end"));
    await expect(result.promise).rejects.toThrow("asked to end");
  });
});
