import { describe, expect, it } from "vitest";

import type { Lookup } from "../../../src/connect/lookup.ts";
import { createResolver } from "../../../src/connect/resolver.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const never = new AbortController().signal;

/** A resolver over look-ups that are answered by hand. */
function stage() {
  const clock = createHandClock();
  const lookups: {
    readonly host: string;
    answer(...addresses: readonly string[]): Promise<void>;
    fail(code: string): Promise<void>;
  }[] = [];
  const events: string[] = [];
  const settled = (): Promise<void> => clock.advance(0);
  const lookup: Lookup = (host, _family, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      lookups.push({
        host,
        answer(...addresses) {
          resolve(addresses);
          return settled();
        },
        fail(code) {
          reject(Object.assign(new Error(code), { code }));
          return settled();
        },
      });
    });
  const resolver = createResolver({
    lookup,
    clock,
    emit: ({ host, serving }) => events.push(`${host} ${serving ? "last good" : "answers"}`),
  });
  const resolve = (host = "presto.example", signal = never) => resolver.resolve(host, undefined, signal);
  return { clock, lookups, events, resolver, resolve, settled };
}

/** A name that was answered once. */
async function known(...addresses: readonly string[]) {
  const world = stage();
  const first = world.resolve();
  await world.lookups[0]?.answer(...addresses);
  await first;
  return world;
}

describe("a look-up", () => {
  it("is shared by all who wait for it, and made anew for those who come later", async () => {
    const { resolve, lookups } = stage();
    const waiting = Array.from({ length: 250 }, () => resolve());
    expect(lookups).toHaveLength(1);
    await lookups[0]?.answer("192.0.2.1");
    expect(new Set((await Promise.all(waiting)).flat())).toEqual(new Set(["192.0.2.1"]));
    void resolve();
    expect(lookups).toHaveLength(2);
  });

  it("is not made for an address", async () => {
    const { resolve, lookups } = stage();
    expect(await resolve("2001:db8::1")).toEqual(["2001:db8::1"]);
    expect(lookups).toHaveLength(0);
  });

  it("that somebody gives up goes on for the others", async () => {
    const { resolve, lookups } = stage();
    const giving = new AbortController();
    const given = resolve("presto.example", giving.signal);
    const waiting = resolve();
    giving.abort(new Error("given up"));
    await expect(given).rejects.toThrow("given up");
    await lookups[0]?.answer("192.0.2.1");
    expect(await waiting).toEqual(["192.0.2.1"]);
  });

  it("without an answer is called off after a while, and whoever comes then begins another", async () => {
    const { resolve, lookups, clock } = stage();
    const waiting = resolve();
    const ended = Promise.allSettled([waiting]);
    await clock.advance(10_000);
    expect(await ended).toMatchObject([{ reason: { proxyStatus: "dns_error" } }]);
    void resolve();
    expect(lookups).toHaveLength(2);
  });
});

describe("a resolver that does not answer", () => {
  it("has the addresses last good serve after a second, then at once, until it answers again", async () => {
    const { resolve, lookups, events, clock } = await known("192.0.2.1");
    const waiting = Array.from({ length: 3 }, () => resolve());
    await clock.advance(999);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 3 }, () => ["192.0.2.1"]));
    expect(events).toEqual(["presto.example last good"]);
    expect(await resolve()).toEqual(["192.0.2.1"]);
    expect(lookups).toHaveLength(2);
    await lookups[1]?.answer("192.0.2.2");
    expect(events).toEqual(["presto.example last good", "presto.example answers"]);
    const after = resolve();
    await lookups[2]?.answer("192.0.2.2");
    expect(await after).toEqual(["192.0.2.2"]);
  });

  it.each(["EAI_AGAIN", "EAI_FAIL"])("and says so (%s) has them serve at once", async (code) => {
    const { resolve, lookups, events } = await known("192.0.2.1");
    const waiting = resolve();
    await lookups[1]?.fail(code);
    expect(await waiting).toEqual(["192.0.2.1"]);
    expect(events).toEqual(["presto.example last good"]);
  });

  it("is asked again and again, whether or not anybody connects", async () => {
    const { resolve, lookups, events, clock } = await known("192.0.2.1");
    void resolve();
    await lookups[1]?.fail("EAI_AGAIN");
    await clock.advance(2_000);
    await lookups[2]?.fail("EAI_AGAIN");
    await clock.advance(2_000);
    await lookups[3]?.answer("192.0.2.1");
    expect(events).toEqual(["presto.example last good", "presto.example answers"]);
    await clock.advance(60_000);
    expect(lookups).toHaveLength(4);
  });

  it("has nothing serve for a name that was never found", async () => {
    const { resolve, lookups, events } = stage();
    const ended = Promise.allSettled([resolve()]);
    await lookups[0]?.fail("EAI_AGAIN");
    expect(await ended).toMatchObject([{ reason: { message: "name not resolved (EAI_AGAIN)" } }]);
    expect(events).toEqual([]);
  });
});

describe("a name that is said to be gone", () => {
  it("is not served from memory", async () => {
    const { resolve, lookups, events } = await known("192.0.2.1");
    const ended = Promise.allSettled([resolve()]);
    await lookups[1]?.fail("ENOTFOUND");
    expect(await ended).toMatchObject([{ reason: { message: "name not resolved (ENOTFOUND)" } }]);
    expect(events).toEqual([]);
  });
});

describe("addresses", () => {
  it("that failed last are tried last, until one of them is connected to", async () => {
    const { resolve, resolver, lookups } = stage();
    const next = async (): Promise<readonly string[]> => {
      const asking = resolve();
      await lookups.at(-1)?.answer("192.0.2.1", "192.0.2.2", "192.0.2.3");
      return asking;
    };
    resolver.note("192.0.2.2", "failed");
    resolver.note("192.0.2.1", "failed");
    expect(await next()).toEqual(["192.0.2.3", "192.0.2.2", "192.0.2.1"]);
    resolver.note("192.0.2.2", "failed");
    expect(await next()).toEqual(["192.0.2.3", "192.0.2.1", "192.0.2.2"]);
    resolver.note("192.0.2.1", "connected");
    expect(await next()).toEqual(["192.0.2.1", "192.0.2.3", "192.0.2.2"]);
  });
});

it("a resolver that was closed asks nobody any more", async () => {
  const { resolve, resolver, lookups, events, clock } = await known("192.0.2.1");
  void resolve().catch(() => {});
  await lookups[1]?.fail("EAI_AGAIN");
  resolver.close();
  await clock.advance(60_000);
  expect(lookups).toHaveLength(2);
  await expect(resolve()).rejects.toMatchObject({ kind: "unreachable" });
  expect(events).toEqual(["presto.example last good"]);
});
