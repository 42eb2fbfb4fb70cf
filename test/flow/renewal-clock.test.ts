import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createIssuingBench } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { createJumpingClock } from "../support/jumping-clock.ts";
import type { JumpingClock } from "../support/jumping-clock.ts";
import { eventually } from "../support/sidecar-load.ts";

const dayMs = 24 * 60 * 60 * 1000;
const hourMs = dayMs / 24;

let clock: JumpingClock;
let bench: IssuingBench;

/** Presto's clock goes on with ours: the machine sleeps, the world does not. */
beforeEach(async () => {
  clock = createJumpingClock();
  bench = await createIssuingBench({ sandbox: { now: clock.now } });
});
afterEach(() => bench.close());

async function startIdle(env: Readonly<Record<string, string>> = {}): Promise<IssuingSidecar> {
  const sidecar = await bench.start({ clock, env: { PRESTO_PROBE_EVERY: "596h", ...env } });
  await sidecar.renewalSays({ state: "idle", last_end: { kind: "nothing-to-do" } });
  // The probe at the start is over, too (it asks with the token, and with one made up): what comes after is the call's doing.
  await eventually(sidecar.status).toMatchObject({
    egress: { evidence: expect.arrayContaining([expect.stringMatching(/^2 of the last 2 /)]) },
  });
  return sidecar;
}

/** Until this time of the day (UTC), at least `days` from now. */
function jumpTo(days: number, hour: number): void {
  const midnight = Math.ceil((clock.now() + days * dayMs) / dayMs) * dayMs;
  clock.jump(midnight + hour * hourMs - clock.now());
}

describe("a laptop that was suspended", () => {
  it("past the time of a renewal: the first call is served, and finds the renewal due", async () => {
    const sidecar = await startIdle();
    clock.jump(70 * dayMs);
    expect((await sidecar.call()).status).toBe(200);
    await eventually(bench.issues).toBe(1);
    // Not when the timer runs out that was set before the jump, but because of the call.
    const lines = sidecar.lines();
    const call = lines.findIndex((line) => line["msg"] === "call");
    const begun = lines.slice(call).find((line) => line["to"] === "reading");
    expect(Date.parse(String(begun?.["time"])) - Date.parse(String(lines[call]?.["time"]))).toBeLessThan(
      8_000,
    );
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
    expect((await bench.record()).unexplainedDeaths).toEqual([]);
  });

  it("past the token's end: the first call waits for the next token, and no death is counted", async () => {
    const sidecar = await startIdle({ PRESTO_TIMEOUT: "15s" });
    clock.jump(100 * dayMs);
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(1);
    await eventually(bench.record).toMatchObject({ generation: 2, intent: null, unexplainedDeaths: [] });
  });
});

describe("PRESTO_RENEW_WINDOW", () => {
  it("keeps a renewal that is due until it opens", async () => {
    const sidecar = await startIdle({ PRESTO_RENEW_WINDOW: "01:00-04:00" });
    jumpTo(70, 12);
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ due_at: expect.stringMatching(/T0[123]:/) });
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(0);
    jumpTo(0, 2);
    expect((await sidecar.call()).status).toBe(200);
    await eventually(bench.issues).toBe(1);
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
  });

  it("is not waited for where the token would die first", async () => {
    const sidecar = await startIdle({ PRESTO_RENEW_WINDOW: "01:00-01:30", PRESTO_RENEW_AT: "0.9" });
    // The token ends at midnight, and the window opens an hour after it.
    const { expiresAt } = await bench.record();
    clock.jump((expiresAt?.getTime() ?? 0) - clock.now() - hourMs / 2);
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ last_end: { kind: "renewed" } });
    expect((await sidecar.call()).status).toBe(200);
  });

  it("binds neither a dead token's renewal nor a person", async () => {
    const sidecar = await startIdle({ PRESTO_RENEW_WINDOW: "01:00-04:00" });
    jumpTo(1, 12);
    bench.sandbox.revokeToken();
    expect((await sidecar.call()).status).toBe(200);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(1);
    expect((await sidecar.renew()).status).toBe(200);
    expect(bench.issues()).toBe(2);
  });
});
