import { expect, it } from "vitest";

import { ignore } from "../../../src/lib/events.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { createRecordWatch } from "../../../src/token/watch.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryStore } from "../../support/memory-store.ts";

it("polls on time however often the polling becomes urgent and stops being so", async () => {
  const clock = createHandClock();
  const store = createMemoryStore();
  const watch = createRecordWatch({
    store,
    clock,
    emit: ignore,
    pollMs: 5_000,
    urgentPollMs: 1_000,
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
