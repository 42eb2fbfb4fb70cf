import { rmSync } from "node:fs";

import { afterEach, beforeEach, expect, it } from "vitest";

import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { eventually, scrape } from "../support/sidecar-load.ts";

let bench: IssuingBench;
let sidecar: IssuingSidecar;

/** Fifty times as fast: a token of ours is not believed to be dead before it is 30 s old. */
const clock = createFastClock(50);
const env = {
  PRESTO_PROBE_EVERY: "5s",
  PRESTO_TIMEOUT: "500s",
  PRESTO_HOLD_MAX: "400s",
  PRESTO_CONNECT_TIMEOUT: "250s",
};

beforeEach(async () => {
  bench = await createIssuingBench({ sandbox: { now: clock.now } });
  sidecar = await bench.start({ clock, env });
  await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
});
afterEach(() => bench.close());

/** Somebody else issues, and so kills the stored token: `count` times, each once ours has been replaced. */
async function othersIssue(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    const { generation } = await bench.record();
    bench.sandbox.mintToken({ name: "somebody else's" });
    expect((await sidecar.call()).status).toBe(200);
    await eventually(async () => (await bench.record()).generation).toBe(generation + 1);
  }
}

async function latch(): Promise<void> {
  await othersIssue(3);
  bench.sandbox.mintToken({ name: "somebody else's" });
  // It waits for a token until the test ends.
  sidecar.call().catch(() => {});
  await eventually(async () => (await bench.record()).stopped).not.toBeNull();
}

it("three deaths in ten minutes are each answered with a token of ours, and callers see none of them", async () => {
  await othersIssue(3);
  expect(bench.issues()).toBe(3);
  expect(await bench.record()).toMatchObject({ stopped: null, intent: null });
  await sidecar.renewalSays({ unexplained_deaths_24h: 3, alarm: null });
});

it("the fourth latches the alarm, which everything shows, and no issue call is made any more", async () => {
  await latch();
  const { unexplainedDeaths, intent } = await bench.record();
  expect([unexplainedDeaths.length, intent]).toEqual([4, null]);
  await sidecar.renewalSays({
    state: "stopped",
    alarm: { reason: expect.stringContaining("somebody else issues tokens on this account") },
    last_end: { kind: "stopped" },
  });
  const metrics = await scrape(sidecar);
  expect(metrics.value("presto_sidecar_renewal_stopped")).toBe(1);
  expect(metrics.value("presto_sidecar_renewal_alarms_total")).toBe(1);
  expect(metrics.value("presto_sidecar_renewal_unexplained_deaths_total")).toBe(4);
  expect((await sidecar.readyz()).status).toBe(200);
  expect((await sidecar.readyz(true)).body).toMatch(/^\[!\]alarm: .*somebody else/m);
  const alarms = sidecar.lines().filter((line) => String(line["msg"]).startsWith("The alarm is latched"));
  expect(alarms).toMatchObject([{ level: "error", audit: true }]);

  const probes = bench.sandbox.received().length;
  // Neither probes that find it dead, nor callers, nor a person who does not know, bring one about.
  await eventually(() => bench.sandbox.received().length).toBeGreaterThan(probes + 4);
  expect((await sidecar.renew()).status).toBe(409);
  expect((await sidecar.renew()).body).toMatchObject({ code: "alarm-latched" });
  expect(bench.issues()).toBe(3);
});

it("outlives a restart, and takes readiness where issuing is all that the process does", async () => {
  await latch();
  await sidecar.close();
  const rotator = await bench.start({ clock, env: { ...env, PRESTO_ROLE: "rotator" } });
  expect(await rotator.readyz()).toMatchObject({ status: 503, body: expect.stringMatching(/^alarm: /) });
  expect((await rotator.renew()).status).toBe(409);
  await rotator.renewalSays({ alarm: { reason: expect.any(String) } });
  expect(bench.issues()).toBe(3);
});

it("is cleared by force, which issues once and forgets the deaths", async () => {
  await latch();
  await sidecar.renewalSays({ state: "stopped" });
  expect(await sidecar.renew("?force=1")).toMatchObject({ status: 200, body: { generation: 5 } });
  expect(bench.issues()).toBe(4);
  expect(await bench.record()).toMatchObject({ stopped: null, unexplainedDeaths: [], intent: null });
  expect((await sidecar.call()).status).toBe(200);
  expect((await sidecar.readyz(true)).body).toMatch(/^\[\+\]alarm ok$/m);
  expect((await scrape(sidecar)).value("presto_sidecar_renewal_stopped")).toBe(0);
  // And it guards again from here on.
  await othersIssue(1);
  await sidecar.renewalSays({ unexplained_deaths_24h: 1, alarm: null });
});

it("is followed by a sidecar that somebody else cleared it for", async () => {
  await latch();
  await sidecar.renewalSays({ state: "stopped" });
  await bench.change({ stopped: null, unexplainedDeaths: [] });
  await eventually(async () => (await sidecar.call()).status).toBe(200);
  expect(bench.issues()).toBe(4);
  await sidecar.renewalSays({ alarm: null, state: "idle" });
});

it("is shown by a sidecar that only serves, which goes on, and neither logs nor records another's alarm", async () => {
  const proxy = await bench.start({
    env: { PRESTO_ROLE: "proxy", PRESTO_EMAIL: undefined, PRESTO_PASSWORD: undefined },
  });
  const alarmed = async (): Promise<unknown> => (await scrape(proxy)).value("presto_sidecar_alarm_latched");
  expect(await alarmed()).toBe(0);
  await bench.change({ stopped: { reason: "Two issue.", at: new Date(0) } });
  await eventually(async () => (await proxy.readyz(true)).body).toContain("[!]alarm: Two issue.\n");
  expect((await proxy.readyz()).status).toBe(200);
  expect(await proxy.status()).toMatchObject({
    ready: true,
    latches: { alarm: { closed: true, advisory: true, reason: "Two issue." } },
    renewal: null,
  });
  expect(await alarmed()).toBe(1);
  // Its absence says that nobody issues.
  expect((await scrape(proxy)).value("presto_sidecar_renewal_stopped")).toBeUndefined();
  expect((await proxy.call()).status).toBe(200);
  await bench.change({ stopped: null });
  await eventually(async () => (await proxy.readyz(true)).body).toContain("[+]alarm ok\n");
  expect(await alarmed()).toBe(0);
  expect(proxy.lines().filter(({ msg }) => /alarm/i.test(String(msg)))).toEqual([]);
});

it("goes with its record: status, lights and metric say the same", async () => {
  await bench.change({ stopped: { reason: "Two issue.", at: new Date() } });
  await sidecar.close();
  // Nothing is issued that would put another record there.
  const frozen = await bench.start({ env: { PRESTO_RENEW: "manual" } });
  await frozen.renewalSays({ alarm: { reason: "Two issue." } });
  expect((await frozen.readyz(true)).body).toContain("[!]alarm: Two issue.");
  rmSync(bench.path);
  await frozen.renewalSays({ alarm: null });
  expect((await frozen.readyz(true)).body).toContain("[+]alarm ok");
  expect((await scrape(frozen)).value("presto_sidecar_renewal_stopped")).toBe(0);
});
