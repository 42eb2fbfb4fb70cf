import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createSingleHostLock, renewalLockPath } from "../../src/store/file/lock.ts";
import { holdWrites } from "../support/held-writes.ts";
import { createIssuingBench, issuePath, type IssuingBench, liveRecord } from "../support/issuing-bench.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench({ stored: "none" });
});
afterEach(() => bench.close());

describe("a person who asks for a new token", () => {
  it("is not told of the one that was in use when they asked, though it was not stored yet", async () => {
    // A slow issue, so that the write can be held up after the intent was written.
    const fault = bench.sandbox.setFault({ kind: "hold", path: issuePath, acts: true, times: 1 });
    const sidecar = await bench.start();
    await eventually(bench.issues).toBe(1);
    const held = await holdWrites(bench.path);
    fault.remove();
    // It serves from memory.
    await eventually(async () => (await sidecar.call()).status).toBe(200);
    const leaked = bench.sandbox.token;
    const reply = sidecar.renew("?wait=30s");
    await eventually(sidecar.status).toMatchObject({ renewal: { state: "storing" } });
    await held.release();
    expect(await reply).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(2);
    expect((await bench.record()).token?.reveal()).not.toBe(leaked);
    expect(bench.sandbox.token).not.toBe(leaked);
  });

  it("and does not wait for it (202), gets it all the same when the outage ends", async () => {
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "596h" } });
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    const outage = bench.sandbox.setFault({ kind: "reset-before-reading" });
    expect((await sidecar.renew("?wait=0s")).status).toBe(202);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "unreachable" } });
    expect(bench.issues()).toBe(1);
    outage.remove();
    await eventually(async () => (await bench.record()).generation).toBe(2);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(2);
  });
});

const probePath = "/api/institutions/v1/wallet/transaction/TRX000000000";

describe("a person who asks for a new token", () => {
  beforeEach(() => bench.change(liveRecord(bench.sandbox)));

  it("gets one though the first answer to the probe is a 401 that lies", async () => {
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "596h" } });
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "nothing-to-do" } });
    await eventually(() => bench.sandbox.received().length).toBeGreaterThan(1);
    bench.sandbox.setFault({ kind: "status", status: 401, path: probePath, times: 1 });
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
  });

  it("gets one, and another, from a Presto that looks for the record before the token", async () => {
    bench.sandbox.setFault({ kind: "status", status: 404, path: probePath });
    const sidecar = await bench.start();
    for (const generation of [2, 3]) {
      for (let calls = 0; calls < 9; calls += 1) expect((await sidecar.call()).status).toBe(200);
      expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation } });
    }
    // Without a call, too: it answers, and a person need not wait.
    await bench.change({ generation: 3 });
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 4 } });
    expect(bench.issues()).toBe(3);
  });

  it("is told when the next look is, where the stored token seems dead and is young; force does not wait", async () => {
    await bench.change({ issuedAt: new Date() });
    bench.sandbox.revokeToken();
    const sidecar = await bench.start();
    const told = /younger than 30 s.* The next look is at \d{4}-/;
    expect(await sidecar.renew()).toMatchObject({
      status: 503,
      head: expect.stringMatching(/^retry-after: ([12]?\d|30)\r$/m),
      body: { code: "young-token", detail: expect.stringMatching(told) },
    });
    await sidecar.renewalSays({
      last_end: { kind: "young-token", detail: expect.stringMatching(told) },
      next_try_at: expect.any(String),
      unexplained_deaths_24h: 0,
    });
    expect(bench.issues()).toBe(0);
    expect(await sidecar.renew("?force=1")).toMatchObject({ status: 200, body: { generation: 2 } });
  });
});

describe("while another process holds the lock", () => {
  it("the sidecar says that it waits, and for whom", async () => {
    await bench.change(liveRecord(bench.sandbox));
    const lock = createSingleHostLock({
      path: renewalLockPath(bench.path),
      what: "the record",
      clock: systemClock,
    });
    const held = await lock.acquire({ waitMs: 0 });
    const sidecar = await bench.start();
    const holder = new RegExp(`^Process ${process.pid} on `);
    expect(await sidecar.renew("?wait=3s")).toMatchObject({ status: 202, body: { state: "locking" } });
    await sidecar.renewalSays({
      state: "locking",
      lock: { holder: expect.stringMatching(holder), ours: false },
    });
    const warnings = (): unknown[] =>
      sidecar.lines().filter(({ msg }) => /^Process \d+ on .* holds the renewal lock/.test(String(msg)));
    await expect.poll(warnings, { timeout: 30_000 }).toHaveLength(1);
    await held.release();
    await eventually(async () => (await bench.record()).generation).toBe(2);
    await sidecar.renewalSays({
      state: "idle",
      lock: { holder: null, ours: false },
      last_end: { kind: "renewed" },
    });
  });
});
