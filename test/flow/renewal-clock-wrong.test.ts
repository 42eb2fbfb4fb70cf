import { afterEach, beforeEach, expect, it } from "vitest";

import { createIssuingBench, type IssuingBench } from "../support/issuing-bench.ts";
import { createJumpingClock, type JumpingClock } from "../support/jumping-clock.ts";
import { eventually, scrape } from "../support/sidecar-load.ts";

const dayMs = 24 * 60 * 60 * 1000;

let bench: IssuingBench;
let clock: JumpingClock;

beforeEach(async () => {
  clock = createJumpingClock();
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

it("a clock that is far ahead costs one token, raises an alarm that says which clock is wrong, and none by plan after it", async () => {
  clock.jump(400 * dayMs);
  const sidecar = await bench.start({ clock });
  await eventually(async () => (await sidecar.readyz(true)).body).toMatch(
    /^\[!\]clock: This machine's clock is \d+ min ahead of Presto's/m,
  );
  expect(bench.issues()).toBe(1);
  for (let calls = 0; calls < 20; calls += 1) {
    clock.jump(60_000);
    expect((await sidecar.call()).status).toBe(200);
  }
  await sidecar.renewalSays({
    state: "idle",
    clock_wrong: expect.stringContaining("ahead of"),
    next_try_at: null,
  });
  expect((await sidecar.readyz()).status).toBe(200);
  expect((await scrape(sidecar)).value("presto_sidecar_renewal_clock_wrong")).toBe(1);
  expect(
    sidecar.lines().filter(({ level, msg }) => level === "error" && String(msg).startsWith("The clock")),
  ).toHaveLength(1);
  expect(bench.issues()).toBe(1);

  // A person may, and a dead token is replaced.
  expect((await sidecar.renew()).status).toBe(200);
  expect(bench.issues()).toBe(2);

  clock.jump(-400 * dayMs - 20 * 60_000);
  // Looked at within 15 s, or with the next of many calls.
  await expect
    .poll(async () => (await sidecar.readyz(true)).body, { timeout: 18_000 })
    .not.toMatch(/^\[!\]clock/m);
  await sidecar.renewalSays({ clock_wrong: null });
  expect(bench.issues()).toBe(2);
});

it("a process that is started anew with that clock issues none: the record and Presto's Date say that it is wrong", async () => {
  clock.jump(400 * dayMs);
  const latched = /^\[!\]clock: This machine's clock is \d+ min ahead of Presto's/m;
  for (let starts = 0; starts < 3; starts += 1) {
    const sidecar = await bench.start({ clock });
    await eventually(async () => (await sidecar.readyz(true)).body).toMatch(latched);
    await sidecar.close();
  }
  expect(bench.issues()).toBe(1);
});
