import { expect, it } from "vitest";

import { ignore } from "../../../src/lib/events.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { createRecordWatch } from "../../../src/token/watch.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryStore, intent, type MemoryStore } from "../../support/memory-store.ts";

it("polls on time however often the polling becomes urgent and stops being so", async () => {
  const clock = createHandClock();
  const store = createMemoryStore();
  const watch = createRecordWatch({
    store,
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
    random: () => 1,
    onRecord() {},
  });
  watch.start();
  for (let passed = 0; passed < 20_000; passed += 100) {
    watch.setUrgent(true);
    watch.setUrgent(false);
    await clock.advance(100);
  }
  watch.close();
  expect(store.reads).toBeGreaterThanOrEqual(3);
});

it("polls when the store has it, where the store has a mind of its own", async () => {
  const clock = createHandClock();
  const store = createMemoryStore();
  let pauseMs = 60_000;
  const watch = createRecordWatch({
    store: { ...store, read: () => store.read(), pollMs: () => pauseMs },
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
    random: () => 1,
    onRecord() {},
  });
  watch.start();
  await clock.advance(59_000);
  expect(store.reads).toBe(0);
  pauseMs = 500;
  await clock.advance(1_000);
  expect(store.reads).toBe(1);
  watch.setUrgent(true);
  await clock.advance(500);
  expect(store.reads).toBe(2);
  watch.close();
});

it("polls as soon as it should where the store, whose watch has ended, does not want to rest any more", async () => {
  const clock = createHandClock();
  const store = createMemoryStore();
  let pauseMs = 60_000;
  const watch = createRecordWatch({
    store: { ...store, read: () => store.read(), pollMs: () => pauseMs },
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
    random: () => 1,
    onRecord() {},
  });
  watch.start();
  await clock.advance(22_000);
  expect(store.reads).toBe(0);
  pauseMs = 5_000;
  await clock.advance(5_000);
  expect(store.reads).toBe(1);
  await clock.advance(5_000);
  expect(store.reads).toBe(2);
  watch.close();
});

it("reads again soon what a change was told of and a read failed to bring, where it polls seldom", async () => {
  const clock = createHandClock();
  const store = createMemoryStore();
  let reads = 0;
  let isAway = false;
  let change = (): void => {};
  const watch = createRecordWatch({
    store: {
      ...store,
      async read() {
        reads += 1;
        if (isAway) throw new StoreError("unreachable", "It is away.");
        return store.read();
      },
      watch(onChange) {
        change = onChange;
        return () => {};
      },
      pollMs: () => 60_000,
    },
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
    random: () => 1,
    onRecord() {},
  });
  watch.start();
  await clock.advance(30_000);
  isAway = true;
  change();
  await clock.advance(4_000);
  expect(reads).toBe(1);
  await clock.advance(2_000);
  expect(reads).toBe(2);
  isAway = false;
  await clock.advance(5_000);
  expect(reads).toBe(3);
  // And seldom again, once it was read.
  await clock.advance(50_000);
  expect(reads).toBe(3);
  watch.close();
});

/** A store that tells of no change, and its watch. Time goes on from its first poll. */
async function openUnwatched(record: (passedMs: number) => Parameters<MemoryStore["put"]>[0] | undefined) {
  const clock = createHandClock();
  const store = createMemoryStore();
  const { watch: _tells, ...silent } = store;
  const sawAt: number[] = [];
  const watch = createRecordWatch({
    store: silent,
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
    random: () => 1,
    onRecord: () => void sawAt.push(clock.monotonic() - 5_000),
  });
  store.put({ token: "token-1" });
  await watch.refresh();
  watch.start();
  sawAt.length = 0;
  return {
    store,
    watch,
    clock,
    sawAt,
    /** So many milliseconds from the first poll on. */
    async pass(ms: number) {
      for (let passed = clock.monotonic() - 5_000; passed < ms; passed += 10) {
        const next = record(passed);
        if (next !== undefined) store.put(next);
        await clock.advance(10);
      }
    },
  };
}

it.each([0, 400, 800, 1_200, 1_700, 2_000])(
  "sees the end of a renewal within a second of GRACE, where the store tells of no change: its intent was %i ms old when it was seen",
  async (ageMs) => {
    const bench = await openUnwatched((passed) => {
      if (passed === -100) return { intent: intent("1") };
      if (passed === 2_100 - ageMs) return { token: "token-2", generation: 2, intent: null };
      return undefined;
    });
    await bench.pass(0);
    await bench.pass(10);
    expect(bench.sawAt).toEqual([0]);
    // Calls come, and are held.
    bench.watch.setUrgent(true);
    await bench.pass(4_000);
    bench.watch.close();
    expect(bench.sawAt).toHaveLength(2);
    expect(bench.sawAt[1]).toBeLessThanOrEqual(2_600);
  },
);

it("finds a token soon that was stored just after a call was refused, and asks once a second where none comes", async () => {
  const bench = await openUnwatched((passed) =>
    passed === 1_030 ? { token: "token-2", generation: 2 } : undefined,
  );
  await bench.pass(1_000);
  bench.watch.setUrgent(true);
  await bench.pass(1_300);
  expect(bench.sawAt[0]).toBeLessThanOrEqual(1_200);
  await bench.pass(5_000);
  const before = bench.store.reads;
  await bench.pass(10_000);
  // Calls that come and go while no token does make it no more often.
  for (let passed = 10_000; passed < 15_000; passed += 100) {
    bench.watch.setUrgent(false);
    bench.watch.setUrgent(true);
    await bench.pass(passed);
  }
  bench.watch.close();
  expect(bench.store.reads - before).toBeLessThanOrEqual(11);
});
