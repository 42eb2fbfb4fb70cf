import { describe, expect, it } from "vitest";

import { cancel } from "../../../src/lib/async.ts";
import { intent } from "../../support/memory-store.ts";
import { plainCall } from "../../support/plain-call.ts";
import { change, followToken, holdMaxMs, inHand, openTokens } from "../../support/token-bench.ts";

describe("P1: no request before a token was read", () => {
  it("gives up at once where there is none and no renewal is under way", async () => {
    const { tokens, clock } = await openTokens(null);
    expect(tokens.ready()).toBeUndefined();
    expect(await tokens.waitForToken(plainCall(clock.monotonic()))).toEqual({
      kind: "none",
      renewing: false,
    });
  });

  it("looks for what the store holds by then, once a second at most, so that later ones have it", async () => {
    const { tokens, clock, store } = await openTokens(null);
    const before = store.reads;
    for (let passed = 0; passed < 3_000; passed += 100) {
      await tokens.waitForToken(plainCall(clock.monotonic()));
      await clock.advance(100);
    }
    expect(store.reads - before).toBe(3);
    store.put({ token: "token-1" });
    await clock.advance(100);
    await tokens.waitForToken(plainCall(clock.monotonic()));
    await clock.advance(0);
    expect(inHand(tokens).secret.reveal()).toBe("token-1");
  });
});

describe("P2: what the store has is followed", () => {
  it("takes a record whose version differs although its generation is smaller", async () => {
    const bench = await openTokens();
    await change(bench, { token: "token-2", generation: 7 });
    await change(bench, { token: "token-1", generation: 3 });
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-1");
  });

  it("lets a store go back to an older version after a 401 to the token in hand, and to no other", async () => {
    const bench = await openTokens();
    const told: number[] = [];
    Object.assign(bench.store, { mayGoBack: () => told.push(bench.store.reads) });
    const first = inHand(bench.tokens);
    await change(bench, { token: "token-2" });
    bench.tokens.reject(first, true);
    expect(told).toEqual([]);
    const before = bench.store.reads;
    bench.tokens.reject(inHand(bench.tokens), true);
    expect(told).toEqual([before]);
  });

  it("finds a change by polling where no watch tells", async () => {
    const bench = await openTokens();
    bench.store.put({ token: "token-2" });
    await bench.clock.advance(5_000);
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-2");
  });

  it("is polled on time however many calls come and go meanwhile", async () => {
    const bench = await openTokens();
    bench.tokens.reject(inHand(bench.tokens), true);
    const before = bench.store.reads;
    for (let passed = 0; passed < 20_000; passed += 100) {
      const call = plainCall(bench.clock.monotonic());
      const waited = bench.tokens.waitForToken(call);
      await bench.clock.advance(100);
      cancel(call, "caller-gone");
      await waited;
    }
    expect(bench.store.reads - before).toBeGreaterThanOrEqual(4);
  });

  it("keeps the token in hand when a read fails or the record is gone", async () => {
    const bench = await openTokens();
    bench.store.fail(new Error("away"));
    await bench.clock.advance(20_000);
    bench.store.fail(undefined);
    bench.store.remove();
    await bench.clock.advance(20_000);
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-1");
  });
});

describe("P3 and P4: a renewal under way holds new requests", () => {
  it("holds while the intent stands, and lets go with the new token", async () => {
    const bench = await openTokens();
    await change(bench, { intent: intent("i-1") });
    expect(bench.tokens.ready()).toBeUndefined();
    const held = followToken(bench.tokens.waitForToken(plainCall(bench.clock.monotonic())));
    await bench.clock.advance(1_000);
    expect(held.now()).toBe("waits");
    await change(bench, { token: "token-2", intent: null });
    expect(held.now()).toBe("token-2");
  });

  it("sends with the token in hand after HOLD_MAX, counted from when this process first saw the intent", async () => {
    const bench = await openTokens();
    await change(bench, { intent: intent("i-1") });
    await bench.clock.advance(3_000);
    const held = followToken(bench.tokens.waitForToken(plainCall(bench.clock.monotonic())));
    await bench.clock.advance(1_999);
    expect(held.now()).toBe("waits");
    await bench.clock.advance(1);
    expect(held.now()).toBe("token-1");
  });

  it("counts anew for another intent", async () => {
    const bench = await openTokens();
    await change(bench, { intent: intent("i-1") });
    await bench.clock.advance(5_000);
    expect(bench.tokens.ready()).toBeDefined();
    await change(bench, { intent: intent("i-2") });
    expect(bench.tokens.ready()).toBeUndefined();
  });

  it("goes on waiting to the deadline when the token in hand is known to be rejected", async () => {
    const bench = await openTokens();
    bench.tokens.reject(inHand(bench.tokens), true);
    await change(bench, { intent: intent("i-1") });
    const first = plainCall(bench.clock.monotonic());
    const second = plainCall(bench.clock.monotonic());
    // One of them tries the rejected token after 5 s; the other waits.
    const tries = followToken(bench.tokens.waitForToken(first));
    const waits = followToken(bench.tokens.waitForToken(second));
    await bench.clock.advance(12_000);
    expect([tries.now(), waits.now()]).toEqual(["token-1", "waits"]);
    cancel(second, "deadline");
    await bench.clock.advance(0);
    expect(waits.now()).toBe("deadline");
  });
});

describe("P5 and P6: after a 401", () => {
  it("reads the store afresh and gives the token that it has", async () => {
    const bench = await openTokens();
    const old = inHand(bench.tokens);
    bench.store.put({ token: "token-2" });
    bench.tokens.reject(old, true);
    const next = followToken(
      bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), new Set([old.id])),
    );
    await bench.clock.advance(0);
    expect(next.now()).toBe("token-2");
  });

  it("waits up to HOLD_MAX for a change where no renewal is under way", async () => {
    const bench = await openTokens();
    const old = inHand(bench.tokens);
    bench.tokens.reject(old, true);
    const next = followToken(
      bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), new Set([old.id])),
    );
    await bench.clock.advance(holdMaxMs - 1);
    expect(next.now()).toBe("waits");
    await bench.clock.advance(1);
    expect(next.now()).toBe("none");
  });

  it("waits to the deadline while a renewal is under way that began during the wait", async () => {
    const bench = await openTokens();
    const old = inHand(bench.tokens);
    bench.tokens.reject(old, true);
    const next = followToken(
      bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), new Set([old.id])),
    );
    await bench.clock.advance(4_000);
    await change(bench, { intent: intent("i-1") });
    await bench.clock.advance(10_000);
    expect(next.now()).toBe("waits");
    await change(bench, { token: "token-2", intent: null });
    expect(next.now()).toBe("token-2");
  });

  it("does not wait at all where the store can't change", async () => {
    const bench = await openTokens("token-1", false);
    const old = inHand(bench.tokens);
    bench.tokens.reject(old, true);
    expect(
      await bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), new Set([old.id])),
    ).toMatchObject({ kind: "none" });
  });

  it("never gives a token that the call was refused with, though the store went back to it", async () => {
    const bench = await openTokens();
    const first = inHand(bench.tokens);
    await change(bench, { token: "token-2" });
    const second = inHand(bench.tokens);
    bench.tokens.reject(second, true);
    await change(bench, { token: "token-1" });
    const next = followToken(
      bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), new Set([first.id, second.id])),
    );
    await bench.clock.advance(holdMaxMs);
    expect(next.now()).toBe("none");
  });
});
