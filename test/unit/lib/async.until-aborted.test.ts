import { getEventListeners } from "node:events";

import { describe, expect, it } from "vitest";

import { untilAborted } from "../../../src/lib/async.ts";

describe("until aborted", () => {
  it("gives what the work gives, and leaves nothing on the signal", async () => {
    const stop = new AbortController();
    expect(await untilAborted(stop.signal, Promise.resolve("done"))).toBe("done");
    await expect(untilAborted(stop.signal, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("gives undefined as soon as the signal is aborted, and swallows what the work gives later", async () => {
    const stop = new AbortController();
    const work = Promise.withResolvers<string>();
    const result = untilAborted(stop.signal, work.promise);
    stop.abort();
    expect(await result).toBeUndefined();
    // A rejection that nobody handles would fail the whole run.
    work.reject(new Error("late"));
    await Promise.allSettled([work.promise]);
  });

  it("gives undefined where the signal was aborted before", async () => {
    expect(await untilAborted(AbortSignal.abort(), new Promise(() => {}))).toBeUndefined();
  });
});
