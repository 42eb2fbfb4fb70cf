import { expect, it } from "vitest";

import { ignore } from "../../../src/lib/events.ts";
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
