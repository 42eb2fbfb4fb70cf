import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, it } from "vitest";

import type { RequestEffect } from "../../src/sandbox/fault-kinds.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { BenchOptions, IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

afterEach(() => bench.close());

/** Ten times as fast; so the 30 s of PRESTO_SETTLE are three here. */
const factor = 10;
const settleMs = 30_000 / factor;
/** Where nothing is to wait for it, it is so long that a busy machine's probes and handshakes are far from it. */
const patient = { clock: createFastClock(4), env: { PRESTO_SETTLE: "10m", PRESTO_PROBE_EVERY: "10m" } };
const atOnceMs = 40_000;

async function start(options: BenchOptions = {}): Promise<IssuingSidecar> {
  bench = await createIssuingBench(options);
  return bench.start({ clock: createFastClock(factor), env: settlingEnv });
}

const settlingEnv = {
  PRESTO_SETTLE: "30s",
  PRESTO_TIMEOUT: "200s",
  PRESTO_CONNECT_TIMEOUT: "100s",
  PRESTO_PROBE_EVERY: "10m",
  PRESTO_HOLD_MAX: "8s",
};

/** Milliseconds between the end of the first issue call and the beginning of the second. */
function gap(sidecar: IssuingSidecar): number {
  const [first, second] = sidecar.issueCalls();
  return (second?.begunAt ?? Number.NaN) - (first?.endedAt ?? Number.NaN);
}

const tokenless = '{"data":{"token_name":"presto-sidecar"}}';
const json = { "content-type": "application/json" };
const executed: readonly (readonly [string, RequestEffect])[] = [
  ["a reset", { kind: "reset-after-acting" }],
  ["half an answer", { kind: "half-answer" }],
  ["bytes that are no HTTP", { kind: "garbage" }],
  ["a 500", { kind: "status", status: 500, acts: true }],
  ["a gateway's page", { kind: "html", status: 504, acts: true }],
  ["a page with status 200", { kind: "html", status: 200, acts: true }],
  ["a 401 that is not Presto's", { kind: "html", status: 401, acts: true }],
  ["a 200 without a token", { kind: "answer", status: 200, headers: json, body: tokenless, acts: true }],
];
const notExecuted: readonly (readonly [string, RequestEffect])[] = [
  ["a reset", { kind: "reset-before-acting" }],
  ["a 503", { kind: "status", status: 503 }],
];

describe("an issue call that was executed, and is answered by", () => {
  it.each(executed)("%s: the dead token proves it, and another is made at once", async (_name, effect) => {
    bench = await createIssuingBench();
    const sidecar = await bench.start(patient);
    bench.sandbox.setFault({ ...effect, path: issuePath, times: 1 });
    expect(await sidecar.renew("?wait=5m")).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(gap(sidecar)).toBeLessThan(atOnceMs);
    expect(sidecar.issueCalls().map(({ end }) => end)).toEqual(["unclear", "issued"]);
    expect(await bench.record()).toMatchObject({ intent: null, unexplainedDeaths: [] });
    expect((await sidecar.call()).status).toBe(200);
  });

  it.each(executed.slice(0, 1))(
    "%s: where the dead token proves nothing, no other call is made before PRESTO_SETTLE",
    async (_name, effect) => {
      bench = await createIssuingBench();
      // It may die of old age at any moment, for all that is known.
      await bench.change({ expiresAt: null });
      const sidecar = await bench.start({ clock: createFastClock(factor), env: settlingEnv });
      bench.sandbox.setFault({ ...effect, path: issuePath, times: 1 });
      const renewed = sidecar.renew("?wait=5m");
      await sidecar.renewalSays({ state: "settling" });
      expect((await bench.record()).intent).toMatchObject({ soleCall: false });
      expect(await renewed).toMatchObject({ status: 200 });
      expect(gap(sidecar)).toBeGreaterThanOrEqual(settleMs * 0.99);
      expect(bench.issues()).toBe(2);
      expect((await sidecar.call()).status).toBe(200);
    },
  );
});

describe("an issue call that was not executed, and is answered by", () => {
  it.each(notExecuted)(
    "%s: the token goes on serving, and PRESTO_SETTLE is waited for",
    async (_name, effect) => {
      const sidecar = await start();
      bench.sandbox.setFault({ ...effect, path: issuePath, times: 1 });
      const renewed = sidecar.renew("?wait=5m");
      await sidecar.renewalSays({ state: "settling" });
      // Held at first, for a new token might come; then sent with the one in hand.
      expect((await sidecar.call()).status).toBe(200);
      expect(bench.issues()).toBe(1);
      expect(await renewed).toMatchObject({ status: 200, body: { generation: 2 } });
      expect(gap(sidecar)).toBeGreaterThanOrEqual(settleMs * 0.99);
      expect(bench.issues()).toBe(2);
      expect((await bench.record()).unexplainedDeaths).toEqual([]);
    },
  );
});

describe("the first issue call of all", () => {
  it("is not repeated before PRESTO_SETTLE: nothing can tell what became of it", async () => {
    bench = await createIssuingBench({ stored: "none" });
    bench.sandbox.setFault({ kind: "reset-after-acting", path: issuePath, times: 1 });
    const sidecar = await bench.start({ clock: createFastClock(factor), env: settlingEnv });
    await eventually(async () => (await sidecar.readyz()).status).toBe(200);
    expect(gap(sidecar)).toBeGreaterThanOrEqual(settleMs * 0.99);
    expect(bench.issues()).toBe(2);
  });
});

describe("an answer that comes after its time, while the call is settled,", () => {
  it.each([true, false])("brings the token (executed before the time was over: %s)", async (acts) => {
    bench = await createIssuingBench();
    await bench.change({ expiresAt: null });
    const sidecar = await bench.start({ clock: createFastClock(factor), env: settlingEnv });
    const hold = bench.sandbox.setFault({ kind: "hold", acts, path: issuePath, times: 1 });
    const renewed = sidecar.renew("?wait=5m");
    await sidecar.renewalSays({ state: "settling" });
    hold.remove();
    expect(await renewed).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).token?.reveal()).toBe(bench.sandbox.token);
    expect((await sidecar.call()).status).toBe(200);
  });
});

describe("an intent that a process left behind", () => {
  const left = (soleCall: boolean) => ({
    intent: {
      id: randomUUID(),
      holder: randomUUID(),
      soleCall,
      reason: "scheduled",
      at: new Date(),
    } as const,
  });

  async function startAfter(
    soleCall: boolean,
    how: Parameters<IssuingBench["start"]>[0] = { clock: createFastClock(factor), env: settlingEnv },
  ): Promise<IssuingSidecar> {
    await bench.change(left(soleCall));
    return bench.start(how);
  }

  it.each([true, false])(
    "over a token that lives is cleared, and nothing issued (sole call: %s)",
    async (sole) => {
      bench = await createIssuingBench();
      const startedAt = Date.now();
      const sidecar = await startAfter(sole);
      expect((await sidecar.call()).status).toBe(200);
      await eventually(async () => (await bench.record()).intent).toBeNull();
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(settleMs * 0.99);
      expect(bench.issues()).toBe(0);
      await sidecar.renewalSays({ state: "idle", last_end: { kind: "nothing-to-do" } });
    },
  );

  it("over a token that its sole call killed is followed by another call at once", async () => {
    bench = await createIssuingBench();
    bench.sandbox.mintToken({ name: "executed, and lost with its process" });
    const startedAt = Date.now();
    const sidecar = await startAfter(true, {
      ...patient,
      env: { ...patient.env, PRESTO_TIMEOUT: "100s", PRESTO_HOLD_MAX: "90s" },
    });
    expect((await sidecar.call()).status).toBe(200);
    expect((sidecar.issueCalls()[0]?.begunAt ?? Number.NaN) - startedAt).toBeLessThan(atOnceMs);
    await eventually(bench.record).toMatchObject({ intent: null, unexplainedDeaths: [] });
    expect(bench.issues()).toBe(1);
  });

  it("over a dead token, where more than one call is possible, is followed by another after PRESTO_SETTLE", async () => {
    bench = await createIssuingBench();
    bench.sandbox.mintToken({ name: "executed, and lost with its process" });
    const startedAt = Date.now();
    const sidecar = await startAfter(false);
    expect((await sidecar.call()).status).toBe(200);
    expect((sidecar.issueCalls()[0]?.begunAt ?? Number.NaN) - startedAt).toBeGreaterThanOrEqual(
      settleMs * 0.99,
    );
    await eventually(bench.record).toMatchObject({ intent: null, unexplainedDeaths: [] });
    expect(bench.issues()).toBe(1);
  });
});
