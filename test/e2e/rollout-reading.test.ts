import { randomBytes } from "node:crypto";

import { afterEach, beforeEach, expect, it } from "vitest";

import { holdWrites } from "../support/held-writes.ts";
import { createRolledHost } from "../support/rolled-host.ts";
import type { RolledHost } from "../support/rolled-host.ts";
import { movedTo } from "../support/watched-cli.ts";

const drainMaxMs = 12_000;

let rolled: RolledHost;

beforeEach(async () => {
  rolled = await createRolledHost({ env: { PRESTO_DRAIN_MAX: `${drainMaxMs}ms`, PRESTO_SETTLE: "3s" } });
});
afterEach(() => rolled.close());

it("at SIGTERM a renewal that is reading never was, though it is due: the old token lives, no intent is left", async () => {
  const first = rolled.start();
  await rolled.settled();
  expect((await rolled.roll(first)).code).toBe(0);
  const oldId = rolled.host.liveId();

  // A record that was sealed with an older key is sealed anew in R1, and that write is held back.
  const keys = `${randomBytes(32).toString("base64")},${rolled.host.env()["PRESTO_STORE_KEY"]}`;
  const held = await holdWrites(rolled.host.path);
  const sidecar = rolled.start({ PRESTO_STORE_KEY: keys, PRESTO_RENEW_AT: "0.0000001" });
  await sidecar.line(movedTo("reading"));
  const { code, ms } = await rolled.roll(sidecar, () => held.release());
  expect([code, ms < drainMaxMs]).toEqual([0, true]);
  expect(rolled.host.liveId()).toBe(oldId);
  expect(rolled.host.issueCalls()).toBe(1);

  const next = rolled.start({ PRESTO_STORE_KEY: keys, PRESTO_SETTLE: "90s" });
  await rolled.callers.log.servedAfter(next.spawnedAt);
  await next.line(movedTo("idle"));
  expect(rolled.host.issueCalls()).toBe(1);
  expect(await rolled.judge()).toEqual([]);
});
