import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { startChangingNat } from "../support/changing-nat.ts";
import type { ChangingNat, NatSidecar } from "../support/changing-nat.ts";
import { forbiddenReference, madeUpAddress } from "../support/guarded-presto.ts";
import type { Refusal, Seen } from "../support/guarded-presto.ts";
import { startCallers } from "../support/load-callers.ts";
import { whatLabLacks } from "../support/network-lab.ts";
import { exchange } from "../support/raw-caller.ts";
import { until } from "../support/until.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

const lack = whatLabLacks();

describe.skipIf(lack !== undefined)("a NAT whose address changes", () => {
  let net: ChangingNat;
  let sidecar: NatSidecar | undefined;
  beforeAll(async () => {
    net = await startChangingNat();
  });
  afterAll(() => net?.close());
  afterEach(async () => {
    sidecar?.process.child.kill("SIGKILL");
    sidecar = undefined;
    net.leaveFrom("registered");
    await net.order({ witnesses: ["honest", "honest"], refusal: "json" });
    net.forget();
  });

  const start = async (): Promise<NatSidecar> => (sidecar = await net.startSidecar());
  const readiness = ({ admin }: NatSidecar) => exchange({ path: admin }, getCall("/readyz"));
  const query = ({ proxy }: NatSidecar, reference = "T-1") => exchange({ path: proxy }, queryCall(reference));
  const status = async ({ admin }: NatSidecar): Promise<unknown> =>
    JSON.parse((await exchange({ path: admin }, getCall("/status"))).body);
  const strangers = (kind: Seen["kind"]): number =>
    net.seen().filter((seen) => seen.kind === kind && seen.from === net.leavesFrom.strange).length;

  it.each<[string, Refusal]>([
    ["403 in JSON", "json"],
    ["an HTML block page", "page"],
    ["a reset", "reset"],
  ])(
    "under 32 callers, strangers meeting %s: calls stop, and go on by themselves when it is back",
    async (what, refusal) => {
      await net.order({ refusal });
      const running = await start();
      const callers = startCallers({ proxy: running.proxy, callers: 32, restMs: 10 });
      const { log } = callers;
      const keptBack = (): number =>
        log.failed().filter(({ code }) => code === "egress-not-registered").length;
      try {
        await until(() => (log.counts().served >= 320 ? true : undefined), {
          withinMs: 30_000,
          what: () => `320 served calls, but ${JSON.stringify(log.counts())}`,
        });
        expect(await readiness(running)).toMatchObject({ status: 200 });
        expect(log.failed()).toEqual([]);
        expect(new Set(net.seen().map(({ from }) => from))).toEqual(new Set([net.leavesFrom.registered]));

        net.leaveFrom("strange");
        const changedAt = performance.now();
        await running.process.says("kept back");
        const closedMs = performance.now() - changedAt;
        const red = await readiness(running);
        expect(red.status).toBe(503);
        expect(red.body).toMatch(/^egress/m);
        // What was under way then has ended: by ten times the callers, each has come back, the one on a slow connection too.
        const atLeast = async (more: number): Promise<void> => {
          const enough = keptBack() + more;
          await until(() => (keptBack() >= enough ? true : undefined), {
            withinMs: 30_000,
            what: "answers of egress-not-registered",
          });
        };
        await atLeast(320);
        const sent = strangers("call");
        const cutOff = strangers("connection");
        await atLeast(320);
        expect(strangers("call")).toBe(sent);
        process.stdout.write(
          `\nNAT change under 32 callers, strangers meet ${what}: the latch closed after ${closedMs.toFixed(0)} ms; ` +
            `${sent} calls and ${cutOff} connections that were reset had left from the wrong address.\n`,
        );
        // Presto has met a stranger, and few calls were put at risk.
        expect(sent + cutOff).toBeGreaterThan(0);
        // A busy machine looks later, and calls less often.
        expect(sent).toBeLessThan(960);
        expect(closedMs).toBeLessThan(15_000);
        for (const call of log.failed().filter(({ code }) => code === "egress-not-registered"))
          expect(call).toMatchObject({ status: 503, end: "not-sent" });
        expect(await status(running)).toMatchObject({
          egress: { addresses: [net.leavesFrom.strange], registered: false, verdict: "not-registered" },
        });

        net.leaveFrom("registered");
        const backAt = performance.now();
        await until(async () => ((await readiness(running)).status === 200 ? true : undefined), {
          withinMs: 30_000,
          what: "readiness",
        });
        const openedAt = performance.now();
        process.stdout.write(
          `It opened ${(openedAt - backAt).toFixed(0)} ms after the NAT was changed back.\n`,
        );
        await log.servedAfter(openedAt);
        // What it had seen before this order it has told before.
        await net.order({});
        net.forget();
        const served = log.counts().served;
        await until(() => (log.counts().served >= served + 320 ? true : undefined), {
          withinMs: 30_000,
          what: "320 calls more",
        });
        expect(log.failed().filter(({ begunAt }) => begunAt > openedAt)).toEqual([]);
        expect(new Set(net.seen().map(({ from }) => from))).toEqual(new Set([net.leavesFrom.registered]));
      } finally {
        await callers.stop();
      }
    },
  );

  it("is not believed of one check URL that lies, while Presto answers", async () => {
    await net.order({ witnesses: ["honest", "lying"] });
    const running = await start();
    await running.process.says(madeUpAddress);
    // Not even while Presto turns some calls away for what they ask.
    for (let round = 0; round < 3; round += 1) {
      expect((await query(running, forbiddenReference)).status).toBe(403);
      expect((await query(running)).status).toBe(200);
    }
    expect(await readiness(running)).toMatchObject({ status: 200 });
    expect(await status(running)).toMatchObject({ egress: { verdict: "registered" } });
    expect(strangers("call")).toBe(0);
  });

  it("is not guessed where no check URL answers: what Presto says goes to the callers", async () => {
    await net.order({ witnesses: ["down", "down"] });
    const running = await start();
    expect((await query(running)).status).toBe(200);
    net.leaveFrom("strange");
    // Its connection went with the old gateway.
    await until(async () => ((await query(running)).status === 403 ? true : undefined), {
      withinMs: 30_000,
      what: "Presto's own 403",
    });
    for (let call = 0; call < 9; call += 1)
      expect(await query(running)).toMatchObject({
        status: 403,
        headers: { "presto-outcome": "answered" },
        body: '{"error":"forbidden"}',
      });
    expect(await readiness(running)).toMatchObject({ status: 200 });
    expect(await status(running)).toMatchObject({ egress: { verdict: "not-registered", addresses: [] } });
  });
});
