import { describe, expect, it } from "vitest";

import { defaultTimes } from "../../../src/renewal/types.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { idOf, intentBy, wishBeyond } from "../../support/renewal-cases.ts";
import { issuedToken, unclear } from "../../support/scripted-presto.ts";

// Two rotators over one store that has no lock but the intent that stands in it.

const { leaseMs, settleMs } = defaultTimes;

function createPair(): { readonly one: RenewalBench; readonly other: RenewalBench } {
  const one = createRenewalBench({ lockIsIntent: true, holder: "one" });
  return { one, other: createRenewalBench({ lockIsIntent: true, holder: "other", beside: one }) };
}

/** Presto will issue a token, whenever it is asked. */
function issuable({ presto, clock }: RenewalBench, token: string): void {
  presto.will({ kind: "issued", issued: issuedToken(token, clock.now()) });
}

describe("two rotators whose lock is the intent", () => {
  it("that find the same token due make one call: who is refused at R3 leaves the other's intent alone", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    const first = one.begin(wishBeyond("token-1"));
    const second = other.begin(wishBeyond("token-1"));
    await one.clock.advance(200);
    expect(second.now).toMatchObject({
      kind: "nothing-to-do",
      detail: expect.stringContaining("host of one"),
    });
    expect(one.store.record().intent?.holder).toBe("one");
    one.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", one.clock.now()) });
    await one.clock.advance(0);
    expect(first.now).toMatchObject({ kind: "renewed" });
    expect(one.presto.calls).toHaveLength(1);
    expect(one.store.record()).toMatchObject({ generation: 2, intent: null });
  });

  it("wait for each other: the second comes after the first one's end, and finds its token", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    const first = one.begin(wishBeyond("token-1"));
    await one.clock.advance(0);
    expect(one.renewal.state()).toBe("issuing");
    const second = other.begin(wishBeyond("token-1"));
    await one.clock.advance(4_000);
    expect([other.renewal.state(), other.renewal.waitsFor()?.words]).toEqual([
      "locking",
      expect.stringContaining("host of one"),
    ]);
    one.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", one.clock.now()) });
    await one.clock.advance(3_000);
    expect(first.now).toMatchObject({ kind: "renewed" });
    expect(second.now).toMatchObject({ kind: "nothing-to-do" });
    expect(one.presto.calls).toHaveLength(1);
  });

  it("do not take an intent from each other that is settled for longer than a term", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    one.presto.will(unclear);
    const first = one.begin(wishBeyond("token-1"));
    await one.clock.advance(0);
    expect(one.renewal.state()).toBe("settling");
    const { id } = one.store.record().intent ?? {};
    other.begin(wishBeyond("token-1"));
    await one.clock.advance(settleMs - 1_000);
    expect([one.renewal.state(), other.renewal.state()]).toEqual(["settling", "locking"]);
    // The call in question is the same, so proxies don't hold their callers anew.
    expect(one.store.record().intent).toMatchObject({ id, holder: "one", soleCall: true });
    issuable(one, "token-2");
    await one.clock.advance(2_000);
    expect(first.now).toMatchObject({ kind: "renewed" });
    expect(one.presto.calls).toHaveLength(2);
    expect(one.store.record()).toMatchObject({ generation: 2, intent: null });
  });

  it("know a token as theirs from the moment its late answer has come, also while the intent is being written anew", async () => {
    const first = createRenewalBench();
    let held: Promise<void> | undefined;
    const store = {
      ...first.store,
      async write(...given: Parameters<typeof first.store.write>) {
        await held;
        return first.store.write(...given);
      },
    };
    const one = createRenewalBench({ lockIsIntent: true, holder: "one", beside: { ...first, store } });
    one.presto.says("token-1", "alive");
    one.begin(wishBeyond("token-1"));
    await one.clock.advance(leaseMs / 3 - 1);
    expect(one.renewal.state()).toBe("issuing");
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    await one.clock.advance(2_000);
    expect(one.renewal.state()).toBe("settling");
    one.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", one.clock.now()) });
    await one.clock.advance(0);
    expect(one.renewal.state()).toBe("settling");
    // Whoever asks for another token now is not told of this one.
    expect([...one.renewal.issued()]).toEqual([idOf("token-2")]);
    held = undefined;
    resolve();
    await one.clock.advance(1_000);
    expect(first.store.record().token?.reveal()).toBe("token-2");
  });

  it("take over one that stood unchanged for a term, and wait SETTLE from then on", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    one.store.put({ intent: intentBy("killed") });
    const run = other.begin();
    await one.clock.advance(leaseMs - 1);
    expect(one.store.record().intent?.holder).toBe("killed");
    await one.clock.advance(1);
    expect(one.store.record().intent?.holder).toBe("other");
    await one.clock.advance(settleMs);
    expect(run.now).toMatchObject({ kind: "nothing-to-do" });
    expect(one.store.record().intent).toBeNull();
  });

  it("make a call only under an intent that was written anew, never under one that was settled", async () => {
    const { one } = createPair();
    one.presto.says("token-1", "dead");
    one.store.put({ intent: intentBy("killed") });
    issuable(one, "token-2");
    const run = one.begin();
    await one.clock.advance(leaseMs + settleMs);
    expect(run.now).toMatchObject({ kind: "renewed" });
    const ids = one.store.written.map(({ intent }) => intent?.id);
    expect([...new Set(ids)]).toEqual(["id-1", "id-2", undefined]);
    expect(ids.filter((id) => id === "id-2")).toHaveLength(1);
  });

  it.each([
    { name: "for a term", ms: leaseMs },
    { name: "so long that the rest of its term would not outlive the call", ms: leaseMs - 20_000 + 1 },
  ])("one that was frozen $name before its call sends nothing", async ({ ms }) => {
    const { one } = createPair();
    one.presto.says("token-1", "alive");
    const awake = Promise.withResolvers<void>();
    one.knobs.quiet = awake.promise;
    const run = one.begin(wishBeyond("token-1"));
    await one.clock.advance(ms);
    awake.resolve();
    await one.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "unreachable" });
    expect(one.presto.calls).toEqual([]);
    expect(one.store.record().intent).toBeNull();
  });

  it("one that wakes after the other has taken over is refused, and leaves the other's intent alone", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    const awake = Promise.withResolvers<void>();
    one.knobs.quiet = awake.promise;
    const first = one.begin(wishBeyond("token-1"));
    await one.clock.advance(0);
    other.begin(wishBeyond("token-1"));
    await one.clock.advance(leaseMs + 2_000);
    expect(one.store.record().intent?.holder).toBe("other");
    awake.resolve();
    await one.clock.advance(0);
    expect(first.now).toMatchObject({ kind: "unreachable" });
    expect(one.presto.calls).toEqual([]);
    expect(one.store.record().intent?.holder).toBe("other");
  });

  it("a holder whose intent was changed beside it while it settled reads again, and calls nobody by what it knew", async () => {
    const { one } = createPair();
    one.presto.says("token-1", "dead");
    one.presto.says("imported", "alive");
    one.store.put({ intent: intentBy("killed") });
    const run = one.begin();
    await one.clock.advance(leaseMs + 10_000);
    const { token } = issuedToken("imported", 0);
    one.store.put({ token, generation: 2 });
    await one.clock.advance(settleMs + settleMs);
    expect(one.presto.calls).toEqual([]);
    expect(run.now).toMatchObject({ kind: "nothing-to-do" });
    expect(one.store.record()).toMatchObject({ generation: 2, intent: null });
  });
});

describe("one intent that is kept while it is settled", () => {
  it("is written anew every third of a term, with the time and nothing else changed", async () => {
    const { one } = createPair();
    one.presto.says("token-1", "alive");
    one.store.put({ intent: intentBy("one") });
    one.begin();
    await one.clock.advance(leaseMs);
    const writes = one.store.written.map(({ intent }) => [intent?.id, intent?.at.getTime()]);
    const start = one.clock.now() - leaseMs;
    expect(writes).toEqual([0, 15_000, 30_000, 45_000].map((at) => ["id-1", start + at]));
  });

  it("is kept over writes without an answer, applied or not", async () => {
    const { one, other } = createPair();
    one.presto.says("token-1", "alive");
    one.store.put({ intent: intentBy("one") });
    const run = one.begin();
    await one.clock.advance(10_000);
    one.store.script("lost", "lost-but-applied");
    other.begin();
    await one.clock.advance(settleMs - 10_000);
    expect(run.now).toMatchObject({ kind: "nothing-to-do" });
    expect(one.store.record().intent).toBeNull();
  });
});
