import { describe, expect, it } from "vitest";

import { cancel } from "../../../src/lib/async.ts";
import { intent } from "../../support/memory-store.ts";
import { answer, createGates, follow, json, openTokenStep, put } from "../../support/token-step.ts";

describe("a held call", () => {
  it("is refused as no-token, not-sent, when its time runs out", async () => {
    const bench = await openTokenStep(() => answer(200));
    await put(bench, { intent: intent("i-1") });
    const call = bench.call(3_000);
    const result = bench.perform(call);
    const state = follow(result);
    await bench.clock.advance(0);
    cancel(call, "deadline");
    await bench.clock.advance(0);
    expect(state.now()).toBe("no-token");
    await expect(result).rejects.toMatchObject({ outcome: "not-sent", retryAfter: 5 });
    expect(bench.sent).toEqual([]);
  });

  it("counts as waiting, and not as being sent", async () => {
    const bench = await openTokenStep(() => answer(200));
    await put(bench, { intent: intent("i-1") });
    const held = [bench.call(), bench.call()].map((call) => follow(bench.perform(call)));
    await bench.clock.advance(0);
    expect(bench.limiter.load()).toMatchObject({ inFlight: 0, queued: 2 });
    expect(await bench.perform(bench.call()).catch((error: unknown) => error)).toMatchObject({
      code: "overloaded",
    });
    await put(bench, { token: "token-2", intent: null });
    expect(held.map((state) => state.now())).toEqual([200, 200]);
    expect(bench.limiter.load()).toMatchObject({ inFlight: 0, queued: 0 });
  });
});

describe("turns", () => {
  it("come in the order of the calls, as many at a time as may be sent", async () => {
    const gates = createGates();
    const bench = await openTokenStep(gates.wait, { maxInFlight: 1 });
    const calls = [0, 1, 2].map(() => follow(bench.perform(bench.call())));
    await bench.clock.advance(0);
    expect(bench.sent).toHaveLength(1);
    gates.open();
    await bench.clock.advance(0);
    expect(calls.map((state) => state.now())).toEqual([200, "waits", "waits"]);
    expect(bench.sent).toHaveLength(2);
  });

  it("that do not come in time end the call as overloaded", async () => {
    const bench = await openTokenStep(() => new Promise(() => {}), { maxInFlight: 1 });
    void bench.perform(bench.call());
    const late = bench.call();
    const state = follow(bench.perform(late));
    await bench.clock.advance(0);
    cancel(late, "deadline");
    await bench.clock.advance(0);
    expect(state.now()).toBe("overloaded");
  });

  it("take the token that is live when they come, not the one from before the wait", async () => {
    const gates = createGates();
    const bench = await openTokenStep(gates.wait, { maxInFlight: 1 });
    void bench.perform(bench.call());
    void bench.perform(bench.call());
    await bench.clock.advance(0);
    await put(bench, { token: "token-2" });
    gates.open();
    await bench.clock.advance(0);
    expect(bench.sent).toEqual(["token-1", "token-2"]);
  });

  it("do not begin during a renewal: a call whose turn comes then is held first", async () => {
    const gates = createGates();
    const bench = await openTokenStep(gates.wait, { maxInFlight: 1 });
    void bench.perform(bench.call());
    void bench.perform(bench.call());
    await bench.clock.advance(0);
    await put(bench, { intent: intent("i-1") });
    gates.open();
    await bench.clock.advance(0);
    expect(bench.sent).toEqual(["token-1"]);
    await put(bench, { token: "token-2", intent: null });
    expect(bench.sent).toEqual(["token-1", "token-2"]);
  });
});

describe("proof that a rejected token lives", () => {
  it("is a 2xx with JSON, and nothing less", async () => {
    let status = 401;
    let headers = json;
    const bench = await openTokenStep(() => ({ status, headers, body: Buffer.from("{}") }));
    const first = follow(bench.perform(bench.call()));
    await bench.clock.advance(5_000);
    expect(first.now()).toBe(401);
    status = 200;
    headers = ["content-type", "text/html"];
    expect((await bench.perform(bench.call())).status).toBe(200);
    const second = follow(bench.perform(bench.call()));
    await bench.clock.advance(0);
    expect(second.now()).toBe("waits");
    headers = json;
    await bench.clock.advance(5_000);
    expect(second.now()).toBe(200);
    expect((await bench.perform(bench.call())).status).toBe(200);
  });
});
