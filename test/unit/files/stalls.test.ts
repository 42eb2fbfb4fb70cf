import { afterEach, describe, expect, it, vi } from "vitest";

import { ask, isAnyAsked, StalledError, watchStalls } from "../../../src/files/stalls.ts";

const patienceMs = 20;
const open: PromiseWithResolvers<string>[] = [];

/** Work that ends when the test says so, or at the test's end. */
function hang(): PromiseWithResolvers<string> {
  const work = Promise.withResolvers<string>();
  open.push(work);
  return work;
}

function askHanging(
  path: string,
  options = {},
): { work: PromiseWithResolvers<string>; answer: Promise<unknown> } {
  const work = hang();
  const answer = ask(path, () => work.promise, { patienceMs, ...options }).catch((error: unknown) => error);
  return { work, answer };
}

afterEach(async () => {
  for (const work of open.splice(0)) work.resolve("late");
  await vi.waitUntil(() => !isAnyAsked(), 15_000);
});

describe("asking a file system", () => {
  it("gives what the work gives, and its errors", async () => {
    expect(await ask("/a/x", async () => 1)).toBe(1);
    await expect(ask("/a/x", () => Promise.reject(new Error("EIO")))).rejects.toThrow("EIO");
    expect(isAnyAsked()).toBe(false);
  });

  it("asks one question at a time in a folder", async () => {
    const order: string[] = [];
    const first = hang();
    const asking = [
      ask("/a/x", () => {
        order.push("x");
        return first.promise;
      }),
      ask("/a/y", async () => void order.push("y")),
      ask("/b/z", async () => void order.push("z")),
    ];
    expect(order).toEqual(["x", "z"]);
    first.resolve("x");
    await Promise.all(asking);
    expect(order).toEqual(["x", "z", "y"]);
  });

  it("gives up what takes too long, refuses that folder at once from then on, and asks again when it has answered", async () => {
    const told: unknown[] = [];
    const unwatch = watchStalls((folder, stalled) => told.push([folder, stalled]));
    const { work, answer } = askHanging("/a/x");
    expect(await answer).toBeInstanceOf(StalledError);
    let asked = 0;
    await expect(ask("/a/y", async () => void asked++)).rejects.toBeInstanceOf(StalledError);
    expect(asked).toBe(0);
    expect(await ask("/b/z", async () => "other")).toBe("other");
    work.resolve("late");
    await expect
      .poll(() => told)
      .toEqual([
        ["/a", true],
        ["/a", false],
      ]);
    expect(await ask("/a/y", async () => "again")).toBe("again");
    unwatch();
  });

  it("never waits with more than three threads", async () => {
    const hanging = ["/a/x", "/b/x", "/c/x"].map((path) => askHanging(path));
    let begun = false;
    const fourth = ask("/d/x", async () => void (begun = true), { patienceMs }).catch(
      (error: unknown) => error,
    );
    expect(await fourth).toBeInstanceOf(StalledError);
    expect(begun).toBe(false);
    hanging[0]?.work.resolve("late");
    await Promise.all(hanging.map(({ answer }) => answer));
    expect(await ask("/d/x", async () => "now")).toBe("now");
    expect(begun).toBe(false);
  });

  it("waits for a change however long it takes, since it may still come about", async () => {
    const told: boolean[] = [];
    const unwatch = watchStalls((_folder, stalled) => told.push(stalled));
    const { work, answer } = askHanging("/a/x", { givesUp: false });
    await expect.poll(() => told).toEqual([true]);
    work.resolve("written");
    expect(await answer).toBe("written");
    unwatch();
  });
});
