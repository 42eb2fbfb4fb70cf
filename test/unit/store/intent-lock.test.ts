import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import type { Intent, RenewalLock } from "../../../src/store/contract.ts";
import { createClaimLock, createIntentLock } from "../../../src/store/intent-lock.ts";
import { createHandClock, type HandClock } from "../../support/hand-clock.ts";
import { follow } from "../../support/renewal-bench.ts";
import { createScriptedStore, type ScriptedStore } from "../../support/scripted-store.ts";

const leaseMs = 45_000;

function intentOf(holder: string, id = `of ${holder}`): Intent {
  return { id, holder, soleCall: false, reason: "scheduled", at: new Date(0) };
}

interface Bench {
  readonly clock: HandClock;
  readonly store: ScriptedStore;
  readonly lock: RenewalLock;
  lockOf(holder: string): RenewalLock;
}

function createBench(): Bench {
  const clock = createHandClock();
  const store = createScriptedStore([]);
  store.put({ token: new Secret("token-1"), generation: 1 });
  const lockOf = (id: string): RenewalLock =>
    createIntentLock({ store, holder: { id, identity: `host of ${id}` }, leaseMs, clock, random: () => 0.5 });
  return { clock, store, lock: lockOf("mine"), lockOf };
}

const forever = { waitMs: Number.POSITIVE_INFINITY };

describe("the record's intent as the lock: taking it", () => {
  it("is done at once where no intent stands, one's own does, or there is no record", async () => {
    const { store, lock } = createBench();
    expect((await lock.acquire({ waitMs: 0 })).identity).toBe("host of mine");
    store.put({ intent: intentOf("mine") });
    await lock.acquire({ waitMs: 0 });
    await createIntentLock({
      store: { read: async () => undefined },
      holder: { id: "mine", identity: "" },
      leaseMs,
      clock: createHandClock(),
      random: () => 0,
    }).acquire({ waitMs: 0 });
  });

  it("waits for another's until that one stood unchanged for a term, counted from when it was seen", async () => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    const taken = follow(lock.acquire(forever));
    await clock.advance(leaseMs - 1);
    expect(taken.now).toBeUndefined();
    await clock.advance(1);
    expect(taken.now).toBeDefined();
  });

  it.each([
    { name: "the next call's intent", intent: intentOf("another", "next") },
    { name: "the same intent, written anew", intent: intentOf("another") },
    { name: "a third process's", intent: intentOf("third") },
  ])("counts anew from $name", async ({ intent }) => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    const taken = follow(lock.acquire(forever));
    await clock.advance(leaseMs - 3_000);
    store.put({ intent });
    await clock.advance(leaseMs - 1);
    expect(taken.now).toBeUndefined();
    await clock.advance(3_000);
    expect(taken.now).toBeDefined();
  });

  it("is done soon after the other has taken its intent away", async () => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    const taken = follow(lock.acquire(forever));
    await clock.advance(10_000);
    store.put({ intent: null });
    await clock.advance(2_500);
    expect(taken.now).toBeDefined();
  });

  it("remembers over several tries what it saw, so that they add up to one term", async () => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    await expect(lock.acquire({ waitMs: 0 })).rejects.toMatchObject({ exitCode: 75 });
    await clock.advance(leaseMs);
    await lock.acquire({ waitMs: 0 });
  });

  it("gives up after its time where the holder lives, and else only after a term", async () => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    const outwaiting = { waitMs: 5_000, outwaits: true };
    const refused = follow(lock.acquire(outwaiting).catch((error: unknown) => error));
    await clock.advance(3_000);
    store.put({ intent: intentOf("another", "next") });
    await clock.advance(2_500);
    expect(refused.now).toMatchObject({ exitCode: 75, message: expect.stringContaining("Another process") });
    const taken = follow(lock.acquire(outwaiting));
    await clock.advance(leaseMs);
    expect(taken.now).toBeDefined();
  });

  it("gives up after its time where nobody asked to outwait who stands still", async () => {
    const { clock, store, lock } = createBench();
    store.put({ intent: intentOf("another") });
    const refused = follow(lock.acquire({ waitMs: 5_000 }).catch((error: unknown) => error));
    await clock.advance(5_001);
    expect(refused.now).toMatchObject({ exitCode: 75 });
  });

  it("names who holds it: whoever wrote the record with that intent, and wrote last", async () => {
    const { clock, store, lock } = createBench();
    const told: string[] = [];
    const at = new Date(0).toISOString();
    store.put({
      intent: intentOf("another"),
      writtenBy: { holder: "another", lock: "team/rotator-0 an-id" },
    });
    void lock.acquire({ ...forever, onHeld: (holder) => told.push(holder) });
    await clock.advance(1_000);
    store.put({ writtenBy: { holder: "someone", lock: "token import" } });
    await clock.advance(6_000);
    expect(told).toEqual([`team/rotator-0 an-id (since ${at})`, `Another process (since ${at})`]);
  });

  it("ends with its signal, and with what the store says where it can't be read", async () => {
    const { store, lock, clock } = createBench();
    store.put({ intent: intentOf("another") });
    const ending = new AbortController();
    const taken = lock.acquire({ ...forever, signal: ending.signal });
    await clock.advance(1_000);
    ending.abort(new Error("asked to end"));
    await expect(taken).rejects.toThrow("asked to end");
    store.failReads(1);
    await expect(lock.acquire(forever)).rejects.toThrow("The scripted store did not answer.");
  });
});

describe("the record's intent as the lock: holding it", () => {
  it("is for a term from the sending of the write, and not before there is one", async () => {
    const { clock, lock } = createBench();
    const held = await lock.acquire({ waitMs: 0 });
    expect(held.heldUntil()).toBe(Number.NEGATIVE_INFINITY);
    expect(await held.renew()).toBe(false);
    await clock.advance(7_000);
    held.intent?.stands(3_000);
    expect(held.heldUntil()).toBe(3_000 + leaseMs);
    expect(await held.renew()).toBe(true);
    expect(held.intent?.dueAt()).toBe(3_000 + leaseMs / 3);
    await clock.advance(leaseMs);
    expect(await held.renew()).toBe(false);
  });

  it("ends with its release", async () => {
    const { lock } = createBench();
    const held = await lock.acquire({ waitMs: 0 });
    held.intent?.stands(0);
    await held.release();
    expect(held.heldUntil()).toBe(Number.NEGATIVE_INFINITY);
  });

  it("is no licence to touch what another has written since: that one is waited for as before", async () => {
    const { clock, store, lock } = createBench();
    const held = await lock.acquire({ waitMs: 0 });
    const found = store.put({ intent: intentOf("another") });
    expect(held.intent?.mayTouch(found)).toBe(false);
    await clock.advance(leaseMs - 1);
    expect(held.intent?.mayTouch(found)).toBe(false);
    await clock.advance(1);
    expect(held.intent?.mayTouch(found)).toBe(true);
  });
});

describe("work that is no renewal", () => {
  function createWork() {
    const bench = createBench();
    const { clock, store } = bench;
    let ids = 0;
    const lock = createClaimLock({
      store,
      holder: { id: "command", identity: "host of command" },
      leaseMs,
      clock,
      random: () => 0.5,
      newId: () => `work-${(ids += 1)}`,
    });
    return { ...bench, work: lock };
  }

  it("stands in the record as an intent until it is done, so that no renewal is begun beside it", async () => {
    const { clock, store, work, lock } = createWork();
    const held = await work.acquire({ waitMs: 5_000 });
    expect(store.record()).toMatchObject({
      generation: 1,
      intent: { id: "work-1", holder: "command", soleCall: false },
      writtenBy: { holder: "command", lock: "host of command" },
    });
    expect(held.heldUntil()).toBe(clock.monotonic() + leaseMs);
    await expect(lock.acquire({ waitMs: 0 })).rejects.toMatchObject({ exitCode: 75 });
    await held.release();
    expect(store.record().intent).toBeNull();
    await lock.acquire({ waitMs: 0 });
  });

  it("is not begun beside a renewal, nor over an intent that was left behind", async () => {
    const { clock, store, work } = createWork();
    store.put({ intent: intentOf("another") });
    const refused = follow(work.acquire({ waitMs: 5_000 }).catch((error: unknown) => error));
    // A person is not kept for a whole term, only to be told the same.
    await clock.advance(5_001);
    expect(refused.now).toMatchObject({ exitCode: 75 });
    await clock.advance(leaseMs);
    await expect(work.acquire({ waitMs: 5_000 })).rejects.toMatchObject({ exitCode: 75 });
    expect(store.record().intent?.id).toBe("of another");
  });

  it("waits where another was quicker, and takes a write without an answer for what it reads", async () => {
    const { clock, store, work } = createWork();
    store.script("lost-but-applied");
    const held = await work.acquire({ waitMs: 0 });
    await held.release();
    store.beforeWrite(() => store.put({ intent: intentOf("another") }));
    const refused = follow(work.acquire({ waitMs: 0 }).catch((error: unknown) => error));
    await clock.advance(100);
    expect(refused.now).toMatchObject({ exitCode: 75 });
    expect(store.record().intent?.holder).toBe("another");
  });

  it("pauses before it claims again, and ends where a store refuses each write though nobody is there", async () => {
    const { clock, store, work } = createWork();
    let writes = 0;
    const count = (): void => {
      writes += 1;
      store.beforeWrite(count);
    };
    store.beforeWrite(count);
    store.script(...Array.from({ length: 50 }, () => "refused" as const));
    const refused = follow(work.acquire({ waitMs: 5_000 }).catch((error: unknown) => error));
    await clock.advance(0);
    expect(writes).toBe(1);
    await clock.advance(4_900);
    expect(refused.now).toBeUndefined();
    expect(writes).toBeLessThan(10);
    await clock.advance(2_000);
    expect(refused.now).toMatchObject({
      exitCode: 75,
      message: expect.stringContaining("refused each write"),
    });
    expect(store.record().intent).toBeNull();
  });

  it("takes its intent away although a write is refused, and nobody else's", async () => {
    const { clock, store, work } = createWork();
    const held = await work.acquire({ waitMs: 0 });
    store.script("refused", "lost");
    const released = follow(held.release().then(() => "done"));
    await clock.advance(999);
    expect(store.record().intent?.holder).toBe("command");
    await clock.advance(1_001);
    expect(released.now).toBe("done");
    expect(store.record().intent).toBeNull();
    const again = await work.acquire({ waitMs: 0 });
    store.put({ intent: intentOf("another") });
    await again.release();
    expect(store.record().intent?.holder).toBe("another");
  });
});
