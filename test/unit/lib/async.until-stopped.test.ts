import { expect, it } from "vitest";

import { untilStopped } from "../../../src/lib/async.ts";

const never = new Promise<never>(() => {});

it("gives what the work comes to", async () => {
  const { signal } = new AbortController();
  expect(await untilStopped(signal, Promise.resolve(7))).toBe(7);
  await expect(untilStopped(signal, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
});

it("ends with the signal's reason, whether it comes before or meanwhile", async () => {
  const stop = new AbortController();
  const waiting = untilStopped(stop.signal, never);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
  await expect(untilStopped(stop.signal, never)).rejects.toThrow("stopped");
});
