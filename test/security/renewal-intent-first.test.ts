import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";

import { afterEach, describe, expect, it } from "vitest";

import type { Intent } from "../../src/store/contract.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, issuePath, type IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { walletPaths } from "../support/wallet-call.ts";

// Invariant 7: no issue call is made before its intent was written by compare-and-set under the lock. Seen from
// outside: at the moment at which Presto has read an issue call, the record on the disk shows the intent of that
// call and no other; where the record can't be written, Presto never sees one.

let bench: IssuingBench;

afterEach(() => bench.close());

const clock = createFastClock(20);
const env = {
  PRESTO_SETTLE: "20s",
  PRESTO_TIMEOUT: "200s",
  PRESTO_CONNECT_TIMEOUT: "100s",
  PRESTO_HOLD_MAX: "60s",
};
const dayMs = 24 * 60 * 60 * 1000;

/** What leads to an issue call, and to which reason in its intent. */
interface Way {
  readonly name: string;
  readonly reason: Intent["reason"];
  /** Before the start. */
  readonly prepare?: () => Promise<void> | void;
  /** After it. */
  readonly provoke?: (sidecar: IssuingSidecar) => void;
}

const abandoned = (soleCall: boolean) => async (): Promise<void> => {
  await bench.change({
    intent: { id: randomUUID(), holder: randomUUID(), soleCall, reason: "scheduled", at: new Date() },
  });
  bench.sandbox.revokeToken();
};

const ways: readonly Way[] = [
  {
    name: "the token's time",
    reason: "scheduled",
    prepare: () =>
      bench.change({
        issuedAt: new Date(Date.now() - 80 * dayMs),
        expiresAt: new Date(Date.now() + 10 * dayMs),
      }),
  },
  { name: "no token", reason: "scheduled", prepare: () => bench.change({ token: null }) },
  {
    name: "a person",
    reason: "manual",
    provoke: (sidecar) => void sidecar.renew("?wait=1ms").catch(() => {}),
  },
  {
    name: "a caller's 401",
    reason: "rejected",
    provoke(sidecar) {
      bench.sandbox.revokeToken();
      sidecar.call().catch(() => {});
    },
  },
  { name: "the intent of a dead process", reason: "takeover", prepare: abandoned(true) },
  {
    name: "the intent of a dead process, after PRESTO_SETTLE",
    reason: "takeover",
    prepare: abandoned(false),
  },
];

/** Waits until Presto has so many issue calls, and gives the intent that stands in the record then. */
async function intentAtCall(count: number): Promise<Intent> {
  await eventually(bench.issues).toBe(count);
  const { intent } = await bench.record();
  if (intent === null) throw new Error("Presto has an issue call, and no intent stands");
  return intent;
}

/** The intents that issue calls were begun with, as the log has them. */
function intentsOf(sidecar: IssuingSidecar): readonly unknown[] {
  const begun = sidecar.lines().filter((line) => String(line["msg"]).startsWith("An issue call is begun"));
  return begun.map((line) => line["intent"]);
}

describe("an issue call because of", () => {
  it.each(ways)("$name finds its intent written", async (way) => {
    bench = await createIssuingBench();
    await way.prepare?.();
    const hold = bench.sandbox.setFault({ kind: "hold", acts: true, path: issuePath, times: 1 });
    const sidecar = await bench.start({ clock, env });
    way.provoke?.(sidecar);
    const intent = await intentAtCall(1);
    expect(intent.reason).toBe(way.reason);
    expect(intentsOf(sidecar)).toEqual([intent.id]);
    hold.remove();
    await eventually(bench.record).toMatchObject({ intent: null });
    expect(bench.issues()).toBe(1);
  });

  it.each(ways)("$name is not made where no intent can be written", async (way) => {
    bench = await createIssuingBench();
    await way.prepare?.();
    // Whoever writes must take this lock; so reads work and writes do not, for root too.
    const writeLock = `${bench.path}.write-lock`;
    rmSync(writeLock);
    mkdirSync(writeLock);
    const sidecar = await bench.start({ clock, env });
    way.provoke?.(sidecar);
    await sidecar.renewalSays({ last_end: { kind: "unreachable" } });
    expect(sidecar.lines().some((line) => line["to"] === "intending")).toBe(true);
    expect(bench.issues()).toBe(0);
    rmSync(writeLock, { recursive: true });
    // A person was told, and asks again; the other reasons are there still.
    if (way.reason === "manual") way.provoke?.(sidecar);
    await eventually(bench.issues).toBe(1);
  });

  it.each(["reset-after-acting", "reset-before-acting"] as const)(
    "an answer that was lost (%s) has an intent of its own",
    async (kind) => {
      bench = await createIssuingBench();
      bench.sandbox.setFault({ kind, path: issuePath, times: 1 });
      const hold = bench.sandbox.setFault({ kind: "hold", path: issuePath, times: 1 });
      const sidecar = await bench.start({ clock, env });
      sidecar.renew("?wait=1ms").catch(() => {});
      const second = await intentAtCall(2);
      const [first] = intentsOf(sidecar);
      expect(intentsOf(sidecar)).toEqual([first, second.id]);
      expect(second).toMatchObject({ soleCall: false });
      expect(second.id).not.toBe(first);
      hold.remove();
      await eventually(bench.record).toMatchObject({ generation: 2, intent: null });
    },
  );
});

describe("an intent that is written over before the call", () => {
  it("keeps the call from being made", async () => {
    bench = await createIssuingBench();
    const sidecar = await bench.start({ clock, env });
    // A call of an app that is under way is waited for, between the intent and the last look.
    const slow = bench.sandbox.setFault({ kind: "hold", path: walletPaths.init, times: 1 });
    const called = sidecar.call();
    await eventually(async () => await sidecar.status()).toMatchObject({ in_flight: 1 });
    const renewed = sidecar.renew();
    await eventually(bench.record).toMatchObject({ intent: { reason: "manual" } });
    // Somebody who took over writes his own over it, and then takes it away.
    const other = { id: randomUUID(), holder: randomUUID(), soleCall: false, reason: "takeover" } as const;
    await bench.change({ intent: { ...other, at: new Date() } });
    await sidecar.renewalSays({
      last_end: { kind: "unreachable", detail: expect.stringContaining("Somebody else changed the record") },
    });
    expect(bench.issues()).toBe(0);
    slow.remove();
    expect((await called).status).toBe(200);
    // The wish stays due: the other's intent is settled first, and then a call of its own is made.
    expect(await renewed).toMatchObject({ status: expect.any(Number) });
    await eventually(bench.record).toMatchObject({ intent: null });
  });
});

describe("two processes that want a token at the same time", () => {
  it("have one issue call under way", async () => {
    bench = await createIssuingBench();
    const hold = bench.sandbox.setFault({ kind: "hold", path: issuePath });
    const both = await Promise.all([bench.start({ clock, env }), bench.start({ clock, env })]);
    const replies = await Promise.all(both.map((sidecar) => sidecar.renew("?wait=10s")));
    expect(replies.map(({ status }) => status)).toEqual([202, 202]);
    // The replies may come before it, where this machine is slower than the fast clock.
    await eventually(bench.issues).toBe(1);
    hold.remove();
    await eventually(bench.record).toMatchObject({ generation: 2, intent: null });
    expect(bench.issues()).toBe(1);
  });
});
