import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { RenewalState } from "../../src/renewal/types.ts";
import type { StageOptions } from "../support/renewal-stage.ts";
import { createRolledHost, type RolledHost } from "../support/rolled-host.ts";
import { until } from "../support/until.ts";
import { movedTo, type WatchedCli } from "../support/watched-cli.ts";

const drainMaxMs = 12_000;

let rolled: RolledHost;

beforeEach(async () => {
  rolled = await createRolledHost({
    // Calls are not held for long: while some are, the drain has more to wait for than the renewal.
    env: { PRESTO_DRAIN_MAX: `${drainMaxMs}ms`, PRESTO_SETTLE: "3s", PRESTO_HOLD_MAX: "100ms" },
  });
});
afterEach(() => rolled.close());

interface Rollout extends StageOptions {
  readonly state: RenewalState;
}

const held = { kind: "hold" } as const;
const executed = { kind: "hold", acts: true } as const;

/** Nothing was sent yet: the renewal never was. */
const before: readonly Rollout[] = [
  { state: "probing", probesHeld: true },
  { state: "intending", writesHeld: "from-the-start" },
  { state: "checking", busy: true },
  { state: "clearing", issue: { kind: "status", status: 422 }, busy: true, writesHeld: "checking" },
];

/** The call was sent: its token is brought home. */
const after: readonly (Rollout & { readonly name: string })[] = [
  { name: "issuing, the call not yet executed", state: "issuing", issue: held },
  { name: "issuing, the call executed", state: "issuing", issue: executed },
  { name: "storing", state: "storing", issue: executed, writesHeld: "issue-seen" },
  { name: "reconciling", state: "reconciling", issue: executed, writesHeld: "issue-seen" },
];

/** A sidecar that serves, and has a renewal that stands in this state. */
async function renewing({ state, ...options }: Rollout) {
  const sidecar = rolled.start();
  await rolled.settled();
  await rolled.callers.log.servedAfter(performance.now());
  const oldId = rolled.host.liveId();
  const issuesBefore = rolled.host.issueCalls();
  const stage = await rolled.renewUntil(sidecar, state, options);
  return { sidecar, stage, oldId, issuesBefore };
}

/** Resolves when so many calls were refused that a drain that waits for calls alone would be over; or it is. */
async function drainGoesOn(sidecar: WatchedCli): Promise<void> {
  const refused = (): number => rolled.callers.log.failed().filter(({ code }) => code === "draining").length;
  await until(() => (refused() >= 50 || sidecar.child.exitCode !== null ? true : undefined), {
    withinMs: drainMaxMs,
    what: "calls that are refused",
  });
}

/** The next process serves, and asks for no token of its own. */
async function expectNextServesAtOnce(): Promise<void> {
  const issues = rolled.host.issueCalls();
  const next = rolled.start({ PRESTO_SETTLE: "90s" });
  const { kind } = await rolled.callers.log.servedAfter(next.spawnedAt);
  expect(kind).toBeTypeOf("string");
  await next.line(movedTo("idle"));
  expect(rolled.host.issueCalls()).toBe(issues);
  expect((await rolled.roll(next)).code).toBe(0);
}

describe("at SIGTERM under load", () => {
  it.each(before)(
    "a renewal that is $state never was: the old token lives, no intent is left",
    async (rollout) => {
      const { sidecar, stage, oldId, issuesBefore } = await renewing(rollout);
      const { code, ms } = await rolled.roll(sidecar, () => stage.release());
      expect([code, ms < drainMaxMs]).toEqual([0, true]);
      expect(rolled.host.liveId()).toBe(oldId);
      expect(await rolled.host.record()).toMatchObject({ generation: 1, intent: null, stopped: null });
      // A refused call did nothing; of the others none was made.
      expect(rolled.host.issueCalls() - issuesBefore).toBe(rollout.issue === undefined ? 0 : 1);
      await expectNextServesAtOnce();
      expect(await rolled.judge()).toEqual([]);
    },
  );

  it.each(after)(
    "a renewal is finished that is $name: the new token is stored, no intent is left",
    async (rollout) => {
      const { sidecar, stage, oldId, issuesBefore } = await renewing(rollout);
      const { code, ms } = await rolled.roll(sidecar, async () => {
        // Where the old token still lives no call is stuck: only the renewal keeps the process.
        if (rollout.issue === held) await drainGoesOn(sidecar);
        await stage.release();
        stage.execute();
      });
      expect([code, ms < drainMaxMs]).toEqual([0, true]);
      await rolled.settled();
      expect(rolled.host.liveId()).not.toBe(oldId);
      expect(await rolled.host.record()).toMatchObject({ generation: 2, intent: null, stopped: null });
      expect(rolled.host.issueCalls() - issuesBefore).toBe(1);
      await expectNextServesAtOnce();
      expect(await rolled.judge()).toEqual([]);
    },
  );

  it("a call that is being settled is left in the record, and the next process lets SETTLE pass", async () => {
    const issue = { kind: "reset-before-acting" } as const;
    const { sidecar, oldId, issuesBefore } = await renewing({ state: "settling", issue });
    const { code, ms } = await rolled.roll(sidecar);
    expect([code, ms < drainMaxMs]).toEqual([0, true]);
    expect((await rolled.host.record())?.intent).not.toBeNull();
    const next = rolled.start();
    await rolled.callers.log.servedAfter(next.spawnedAt);
    await rolled.settled();
    expect(rolled.host.liveId()).toBe(oldId);
    expect(rolled.host.issueCalls() - issuesBefore).toBe(1);
    expect(await rolled.judge()).toEqual([]);
  });

  it("a call that was executed and is being settled is left too; the next process sees the dead token, and renews at once", async () => {
    const issue = { kind: "reset-after-acting" } as const;
    const shortMs = 1_500;
    const sidecar = rolled.start({ PRESTO_DRAIN_MAX: `${shortMs}ms` });
    await rolled.settled();
    await rolled.callers.log.servedAfter(performance.now());
    await rolled.renewUntil(sidecar, "settling", { issue });
    const { code, ms } = await rolled.roll(sidecar);
    // Callers that were refused by Presto wait for another token, which only the next process brings: if there are any, they are cut off.
    expect([0, 1]).toContain(code);
    expect(ms).toBeLessThan(shortMs + 15_000);
    expect((await rolled.host.record())?.intent).toMatchObject({ soleCall: true });
    const next = rolled.start({ PRESTO_SETTLE: "90s" });
    await rolled.callers.log.servedAfter(next.spawnedAt);
    await rolled.settled();
    expect(rolled.host.issueCalls()).toBe(3);
    for (const told of await rolled.judge()) expect(told).toMatch(/was answered 401$/);
  });

  it("a call that is not answered within PRESTO_DRAIN_MAX is left in the record, and the process ends with 1", async () => {
    const shortMs = 2_000;
    const sidecar = rolled.start({ PRESTO_DRAIN_MAX: `${shortMs}ms` });
    await rolled.settled();
    await rolled.renewUntil(sidecar, "issuing", { issue: executed });
    const { code, ms } = await rolled.roll(sidecar);
    expect(code).toBe(1);
    expect(ms).toBeGreaterThanOrEqual(shortMs - 5);
    expect(ms).toBeLessThan(shortMs + 15_000);
    expect((await rolled.host.record())?.intent).toMatchObject({ soleCall: true });
    const next = rolled.start({ PRESTO_SETTLE: "90s" });
    await rolled.settled();
    await rolled.callers.log.servedAfter(next.spawnedAt);
    for (const told of await rolled.judge()) expect(told).toMatch(/was answered 401$/);
  });

  it("a Presto that answers no question does not keep the process: nothing was sent, so nothing is waited for", async () => {
    const { sidecar } = await renewing({ state: "probing", probesHeld: true });
    const { code, ms } = await rolled.roll(sidecar);
    expect([code, ms < drainMaxMs]).toEqual([0, true]);
    expect(await rolled.host.record()).toMatchObject({ generation: 1, intent: null });
    expect(await rolled.judge()).toEqual([]);
  });
});
