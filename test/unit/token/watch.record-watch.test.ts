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
