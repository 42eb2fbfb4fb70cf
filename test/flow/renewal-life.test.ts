import { afterEach, describe, expect, it } from "vitest";

import { Secret } from "../../src/secret.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import type { BenchOptions, IssuingBench } from "../support/issuing-bench.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

afterEach(() => bench.close());

async function open(options: BenchOptions = {}): Promise<IssuingBench> {
  bench = await createIssuingBench(options);
  return bench;
}

describe("an empty store", () => {
  it("gets its first token by itself, and calls are served with it", async () => {
    await open({ stored: "none" });
    const sidecar = await bench.start();
    await eventually(async () => (await sidecar.readyz()).status).toBe(200);
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(1);
    const record = await bench.record();
    expect(record).toMatchObject({ generation: 1, intent: null, stopped: null, unexplainedDeaths: [] });
    expect(record.token?.reveal()).toBe(bench.sandbox.token);
    expect(record.expiresAt?.getTime()).toBeGreaterThanOrEqual(Date.now() + 90 * 86_400_000 - 60_000);
  });

  it("stays empty while PRESTO_RENEW is manual, until a person asks", async () => {
    await open({ stored: "none" });
    const sidecar = await bench.start({ env: { PRESTO_RENEW: "manual" } });
    await sidecar.renewalSays({ state: "idle", automatic: false, last_end: { kind: "nothing-to-do" } });
    expect(await sidecar.readyz()).toMatchObject({ status: 503 });
    expect((await sidecar.call()).status).toBe(503);
    expect(bench.issues()).toBe(0);
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 1 } });
    expect((await sidecar.readyz()).status).toBe(200);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });

  it("gets it when Presto, which was down at the start, is back", async () => {
    await open({ stored: "none" });
    const down = bench.sandbox.setFault({ kind: "reset-at-connect" });
    const sidecar = await bench.start();
    await sidecar.renewalSays({ last_end: { kind: "unreachable" }, next_try_at: expect.any(String) });
    expect((await sidecar.readyz()).body).toMatch(
      /^token: There is no token yet\. No issue call could be sent/,
    );
    expect((await bench.record()).intent).toBeNull();
    down.remove();
    await eventually(async () => (await sidecar.readyz()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });
});

describe("a token that lives", () => {
  it("is left alone by a start, however often Presto is asked about it", async () => {
    await open();
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "100ms" } });
    const probes = (): number =>
      bench.sandbox.received().filter(({ target }) => target.endsWith("TRX000000000")).length;
    await eventually(probes).toBeGreaterThan(4);
    expect(bench.issues()).toBe(0);
    expect(await bench.record()).toMatchObject({ generation: 1, intent: null });
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" }, due_at: expect.any(String) });
  });

  it("is renewed on POST /renew by one call, whoever asks at the same time", async () => {
    await open();
    const sidecar = await bench.start();
    const replies = await Promise.all(Array.from({ length: 8 }, () => sidecar.renew()));
    for (const reply of replies) expect(reply).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).token?.reveal()).toBe(bench.sandbox.token);
  });

  it("is told to whoever does not wait for the end", async () => {
    await open();
    const hold = bench.sandbox.setFault({ kind: "hold", path: "/*" });
    const sidecar = await bench.start();
    const reply = await sidecar.renew("?wait=1ms");
    expect(reply).toMatchObject({ status: 202, body: { state: expect.any(String) } });
    hold.remove();
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(1);
  });
});

describe("a token that was revoked", () => {
  it("is found out by a caller, who waits for the next one and sees nothing of it", async () => {
    await open();
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "10m" } });
    expect((await sidecar.call()).status).toBe(200);
    bench.sandbox.revokeToken();
    const startedAt = performance.now();
    const answers = await Promise.all(Array.from({ length: 16 }, () => sidecar.call()));
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    await sidecar.renewalSays({ state: "idle" });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).unexplainedDeaths).toHaveLength(1);
  });

  it("is found out without a caller within PRESTO_PROBE_EVERY", async () => {
    await open();
    const sidecar = await bench.start({ clock: createFastClock(10), env: { PRESTO_PROBE_EVERY: "5s" } });
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
    bench.sandbox.revokeToken();
    await sidecar.renewalSays({ last_end: { kind: "renewed" }, unexplained_deaths_24h: 1 });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).token?.reveal()).toBe(bench.sandbox.token);
  });

  it("is not replaced while PRESTO_RENEW is manual; the 401 is the callers' own", async () => {
    await open();
    const sidecar = await bench.start({
      clock: createFastClock(10),
      env: {
        PRESTO_RENEW: "manual",
        PRESTO_PROBE_EVERY: "1s",
        PRESTO_HOLD_MAX: "3s",
        PRESTO_TIMEOUT: "100s",
      },
    });
    bench.sandbox.revokeToken();
    const { status, headers } = await sidecar.call();
    expect([status, headers["presto-outcome"]]).toEqual([401, "answered"]);
    await eventually(sidecar.status).toMatchObject({ token_state: "refused" });
    expect(bench.issues()).toBe(0);
    expect((await sidecar.renew()).status).toBe(200);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });

  it("whose rejection was a lie is kept", async () => {
    await open();
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "10m", PRESTO_HOLD_MAX: "500ms" } });
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
    bench.sandbox.setFault({ kind: "status", status: 401, message: "Unauthenticated.", times: 1 });
    expect((await sidecar.call()).status).toBe(401);
    await eventually(sidecar.log).toContain("Presto accepts the stored token after all.");
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(0);
    expect(await bench.record()).toMatchObject({ generation: 1, unexplainedDeaths: [] });
  });
});

describe("a token whose day has come", () => {
  it("is renewed at the start, and callers go on meanwhile", async () => {
    await open();
    const day = 86_400_000;
    await bench.change({
      issuedAt: new Date(Date.now() - 80 * day),
      expiresAt: new Date(Date.now() + 10 * day),
    });
    const sidecar = await bench.start();
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).unexplainedDeaths).toEqual([]);
  });

  it("is replaced at once where it has expired, which is no unexplained death", async () => {
    await open();
    await bench.change({ token: new Secret("expired"), expiresAt: new Date(Date.now() - 1_000) });
    const sidecar = await bench.start();
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).unexplainedDeaths).toEqual([]);
  });
});
