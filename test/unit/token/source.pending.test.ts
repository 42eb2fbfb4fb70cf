import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { createTokenSource } from "../../../src/token/source.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryStore, intent } from "../../support/memory-store.ts";
import { plainCall } from "../../support/plain-call.ts";
import { change, followToken, holdMaxMs, inHand } from "../../support/token-bench.ts";

/** A token source that tells all that it can tell. */
async function open(first: string | null = "token-1") {
  const clock = createHandClock();
  const store = createMemoryStore();
  if (first !== null) store.put({ token: first });
  const told: string[] = [];
  const tokens = createTokenSource({
    random: () => 1,
    store,
    clock,
    holdMaxMs,
    pollMs: 5_000,
    emit(event) {
      if (event.type === "token-changed") told.push(`changed to ${event.generation}`);
      if (event.type === "token-rejected") told.push(`rejected ${event.generation}`);
      if (event.type === "token-accepted") told.push(`accepted ${event.generation}`);
    },
    onRecord: () => void told.push("record"),
    onRejected: (id) => void told.push(`401 to ${id}`),
    health: {
      accepted: (id, sentAt) => void told.push(`evidence for ${id} since ${sentAt}`),
      refused: (id) => void told.push(`evidence against ${id}`),
    },
  });
  await tokens.start();
  told.length = 0;
  return { clock, store, tokens, told };
}

type Bench = Awaited<ReturnType<typeof open>>;

function hold({ tokens, clock }: Bench) {
  return followToken(tokens.waitForToken(plainCall(clock.monotonic())));
}

function offer({ tokens }: Bench, token: string): void {
  tokens.setPending({ token: new Secret(token), generation: 2, expiresAt: null });
}

const idOf = (token: string): string => new Secret(token).fingerprint();

describe("a token that is pending before it is stored", () => {
  it("ends the hold of its own renewal at once: the calls that wait go with it", async () => {
    const bench = await open();
    await change(bench, { intent: intent("own") });
    const waiting = hold(bench);
    await bench.clock.advance(1_000);
    expect(waiting.now()).toBe("waits");
    offer(bench, "token-2");
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("token-2");
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-2");
  });

  it("serves the calls that were refused with the old one", async () => {
    const bench = await open();
    await change(bench, { intent: intent("own") });
    const old = new Set([idOf("token-1")]);
    const waiting = followToken(bench.tokens.afterRejection(plainCall(bench.clock.monotonic()), old));
    await bench.clock.advance(1_000);
    expect(waiting.now()).toBe("waits");
    offer(bench, "token-2");
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("token-2");
  });

  it("is the first token of a process that had none", async () => {
    const bench = await open(null);
    await change(bench, { intent: intent("own") });
    const waiting = hold(bench);
    offer(bench, "token-2");
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("token-2");
  });

  it("no longer keeps a later renewal from holding calls once it is stored", async () => {
    const bench = await open();
    offer(bench, "token-2");
    await change(bench, { token: "token-2", intent: null });
    await change(bench, { intent: intent("next") });
    expect(bench.tokens.ready()).toBeUndefined();
  });

  it("is given up when it is dead: calls wait for the renewal again, and then have the stored one", async () => {
    const bench = await open();
    await change(bench, { intent: intent("own") });
    offer(bench, "token-2");
    bench.tokens.discardPending({ token: new Secret("token-2") });
    const waiting = hold(bench);
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("waits");
    await change(bench, { token: "token-x", intent: null });
    expect(waiting.now()).toBe("token-x");
  });
});

describe("a probe of this process counts as an answer to a call", () => {
  it("and one that proves the token alive lets the waiting calls go at once (P9)", async () => {
    const bench = await open();
    bench.tokens.reject(inHand(bench.tokens), true);
    const waiting = hold(bench);
    await bench.clock.advance(1_000);
    expect(waiting.now()).toBe("waits");
    bench.tokens.probed(new Secret("token-1"), "alive");
    await bench.clock.advance(0);
    expect(waiting.now()).toBe("token-1");
    expect(bench.told).toContain("accepted 1");
  });

  it("and one that finds it dead marks it", async () => {
    const bench = await open();
    bench.tokens.probed(new Secret("token-1"), "dead");
    expect(bench.tokens.ready()).toBeUndefined();
    expect(bench.told).toEqual(["rejected 1", `401 to ${idOf("token-1")}`]);
  });

  it("and one of another token leaves the one in hand alone (P10)", async () => {
    const bench = await open();
    bench.tokens.probed(new Secret("token-0"), "dead");
    expect(inHand(bench.tokens).secret.reveal()).toBe("token-1");
  });
});

describe("whoever renews is told", () => {
  it("of each record that differs, and of none that does not", async () => {
    const bench = await open();
    await change(bench, { generation: 2 });
    bench.store.notify();
    await bench.clock.advance(20_000);
    expect(bench.told).toEqual(["record"]);
  });

  it("of every refusal, of a token that was refused before, too: it may be the stored one again", async () => {
    const bench = await open();
    const token = inHand(bench.tokens);
    bench.tokens.reject(token, true);
    bench.tokens.reject(token, true);
    expect(bench.told.filter((each) => each === `401 to ${token.id}`)).toHaveLength(2);
    expect(bench.told.filter((each) => each === "rejected 1")).toHaveLength(1);
  });

  it("by evidence of answers in Presto's own shape, with the time at which the call was sent", async () => {
    const bench = await open();
    const token = inHand(bench.tokens);
    bench.tokens.proveAlive(token, 17);
    bench.tokens.reject(token, true);
    expect(bench.told.filter((each) => each.startsWith("evidence"))).toEqual([
      `evidence for ${token.id} since 17`,
      `evidence against ${token.id}`,
    ]);
  });

  it("by no evidence of a gateway's page, although the call that got it tries another token", async () => {
    const bench = await open();
    bench.tokens.reject(inHand(bench.tokens), false);
    expect(bench.told.filter((each) => each.startsWith("evidence"))).toEqual([]);
    expect(bench.tokens.ready()).toBeUndefined();
  });
});
