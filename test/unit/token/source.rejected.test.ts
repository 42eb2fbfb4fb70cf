import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { plainCall } from "../../support/plain-call.ts";
import { change, followToken, inHand, openTokens } from "../../support/token-bench.ts";

describe("P9: a token known to be rejected", () => {
  it("is tried by one request at a time, at most every 5 s", async () => {
    const bench = await openTokens();
    bench.tokens.reject(inHand(bench.tokens), true);
    const calls = [0, 1, 2].map(() => plainCall(bench.clock.monotonic()));
    const states = calls.map((call) => followToken(bench.tokens.waitForToken(call)));
    await bench.clock.advance(4_999);
    expect(states.map((state) => state.now())).toEqual(["waits", "waits", "waits"]);
    await bench.clock.advance(1);
    expect(states.map((state) => state.now()).toSorted()).toEqual(["none", "none", "token-1"]);
  });

  it("is let go for everybody at once when an answer proves it alive", async () => {
    const bench = await openTokens();
    const token = inHand(bench.tokens);
    bench.tokens.reject(token, true);
    const waiting = followToken(bench.tokens.waitForToken(plainCall(bench.clock.monotonic())));
    await bench.clock.advance(1_000);
    bench.tokens.proveAlive(token, bench.clock.monotonic());
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("token-1");
    expect(bench.tokens.ready()).toBe(token);
  });

  it("gives the try back when the trier ends without a verdict", async () => {
    const bench = await openTokens();
    const token = inHand(bench.tokens);
    bench.tokens.reject(token, true);
    await bench.clock.advance(5_000);
    const trier = plainCall(bench.clock.monotonic());
    expect(await bench.tokens.waitForToken(trier)).toMatchObject({ kind: "token" });
    const other = followToken(bench.tokens.waitForToken(plainCall(bench.clock.monotonic())));
    bench.tokens.release(trier, token);
    await bench.clock.advance(4_999);
    expect(other.now()).toBe("waits");
    await bench.clock.advance(1);
    expect(other.now()).toBe("token-1");
  });

  it("is refused at once between the tries where the store can't change", async () => {
    const bench = await openTokens("token-1", false);
    bench.tokens.reject(inHand(bench.tokens), true);
    expect(await bench.tokens.waitForToken(plainCall(bench.clock.monotonic()))).toMatchObject({
      kind: "none",
    });
    await bench.clock.advance(5_000);
    expect(await bench.tokens.waitForToken(plainCall(bench.clock.monotonic()))).toMatchObject({
      kind: "token",
    });
  });
});

describe("P10: a rejection names the token it is of", () => {
  it("does not touch the token in hand when an older one was rejected", async () => {
    const bench = await openTokens();
    const old = inHand(bench.tokens);
    await change(bench, { token: "token-2" });
    bench.tokens.reject(old, true);
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-2");
  });
});

describe("a token in hand", () => {
  it("does not show itself however it is printed", async () => {
    const token = inHand((await openTokens()).tokens);
    expect(token.authorization).toBe("Bearer token-1");
    expect(`${JSON.stringify(token)} ${inspect(token, { showHidden: true, depth: 9 })}`).not.toContain(
      "token-1",
    );
  });
});
