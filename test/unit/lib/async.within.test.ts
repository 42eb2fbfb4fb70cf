import { describe, expect, it } from "vitest";

import { within } from "../../../src/lib/async.ts";
import { createHandClock } from "../../support/hand-clock.ts";

describe("within", () => {
  it("gives what the work gives, if it does so in time", async () => {
    const clock = createHandClock();
    const work = clock.sleep(999).then(() => "done");
    const result = within(clock, 1_000, work);
    await clock.advance(999);
    expect(await result).toBe("done");
  });

  it("gives undefined when the time is over, and lets the work go on", async () => {
    const clock = createHandClock();
    let finished = false;
    const work = clock.sleep(2_000).then(() => {
      finished = true;
    });
    const result = within(clock, 1_000, work);
    await clock.advance(1_000);
    expect(await result).toBeUndefined();
    await clock.advance(1_000);
    expect(finished).toBe(true);
  });

  it("passes on a failure in time, and swallows a later one", async () => {
    const clock = createHandClock();
    await expect(within(clock, 1_000, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    const late = within(
      clock,
      1_000,
      clock.sleep(2_000).then(() => Promise.reject(new Error("late"))),
    );
    await clock.advance(1_000);
    expect(await late).toBeUndefined();
    // One that nobody handles would fail the whole run.
    await clock.advance(2_000);
  });

  it("takes its timer back when the work is done", async () => {
    const clock = createHandClock();
    let cancelled = 0;
    const counting = {
      ...clock,
      after: (ms: number, run: () => void) => {
        const timer = clock.after(ms, run);
        return {
          cancel() {
            cancelled += 1;
            timer.cancel();
          },
        };
      },
    };
    await within(counting, 1_000, Promise.resolve());
    await clock.advance(0);
    expect(cancelled).toBe(1);
  });
});
