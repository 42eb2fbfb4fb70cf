import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { refusedAll, startedLifecycle, unreachable } from "../../support/lifecycle-bench.ts";
import type { LifecycleBench } from "../../support/lifecycle-bench.ts";
import { follow } from "../../support/renewal-bench.ts";
import { idOf } from "../../support/renewal-cases.ts";

const wish = { force: false, waitMs: 30_000 };
const forced = { force: true, waitMs: 30_000 };
const stopped = { reason: "two owners", at: new Date(0) };

async function renewed(bench: LifecycleBench, token: string): Promise<void> {
  const { record } = bench.store.put({ token: new Secret(token), generation: 2 });
  bench.remembered.storedLives({ record, version: "" }, 0);
  await bench.last().end({ kind: "renewed", tokenId: idOf(token), generation: 2, expiresAt: null });
}

describe("a person's request", () => {
  it.each([true, false])("begins a run at once (automatic: %s)", async (automatic) => {
    const bench = await startedLifecycle({ automatic });
    const reply = follow(bench.lifecycle.renew(wish));
    expect(bench.runs).toHaveLength(2);
    expect(bench.last().trigger.request?.force).toBe(false);
    expect(bench.last().trigger.request?.replaces(idOf("token-1"))).toBe(true);
    await renewed(bench, "token-2");
    expect(reply.now).toMatchObject({ kind: "renewed", generation: 2 });
  });

  it("does not wait for a back-off", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end({ kind: "refused", credentials: false, detail: "429", retryAfterMs: 3_600_000 });
    void bench.lifecycle.renew(wish);
    expect(bench.runs).toHaveLength(3);
  });

  it("that comes in a run of the clock's shares its token", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    const reply = follow(bench.lifecycle.renew(wish));
    bench.knobs.due = false;
    await renewed(bench, "token-2");
    expect(reply.now).toMatchObject({ kind: "renewed" });
    await bench.clock.advance(60_000);
    expect(bench.runs).toHaveLength(2);
  });

  it("that comes in a run which brings no token has one of its own, once", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    const reply = follow(bench.lifecycle.renew(wish));
    await bench.last().end(unreachable);
    expect(reply.now).toBeUndefined();
    expect(bench.runs).toHaveLength(3);
    bench.knobs.due = false;
    await bench.last().end(unreachable);
    expect(reply.now).toMatchObject({ kind: "unreachable", detail: "no answer" });
    await bench.clock.advance(60_000);
    expect(bench.runs).toHaveLength(3);
  });

  it("of two at a time is one run", async () => {
    const bench = await startedLifecycle();
    const replies = [follow(bench.lifecycle.renew(wish)), follow(bench.lifecycle.renew(wish))];
    await renewed(bench, "token-2");
    expect(replies.map(({ now }) => now?.kind)).toEqual(["renewed", "renewed"]);
    await bench.clock.advance(60_000);
    expect(bench.runs).toHaveLength(2);
  });
});

describe("a person's request is refused at once", () => {
  it("while the alarm is latched, unless it is forced", async () => {
    const bench = await startedLifecycle();
    bench.store.put({ stopped });
    expect(await bench.lifecycle.renew(wish)).toEqual({ kind: "stopped", detail: "two owners" });
    expect(bench.runs).toHaveLength(1);
    void bench.lifecycle.renew(forced);
    expect(bench.last().trigger.request?.force).toBe(true);
    expect(bench.runs).toHaveLength(2);
  });

  it("while every password is refused", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end(refusedAll);
    expect(await bench.lifecycle.renew(wish)).toEqual({ kind: "refused", detail: "all refused" });
    expect(bench.runs).toHaveLength(2);
  });

  it("but by force they are tried once more", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    await bench.last().end(refusedAll);
    const reply = follow(bench.lifecycle.renew(forced));
    expect(bench.runs).toHaveLength(3);
    await bench.last().end(refusedAll);
    expect(reply.now).toEqual({ kind: "refused", detail: "all refused" });
    await bench.clock.advance(600_000);
    expect(bench.runs).toHaveLength(3);
  });
});

describe("a forced request that comes while a run without force ends at the alarm", () => {
  it("has a run of its own, which clears it", async () => {
    const bench = await startedLifecycle();
    const first = follow(bench.lifecycle.renew(wish));
    const second = follow(bench.lifecycle.renew(forced));
    bench.store.put({ stopped });
    await bench.last().end({ kind: "stopped", detail: "two owners" });
    expect([first.now, second.now]).toEqual([undefined, undefined]);
    expect(bench.last().trigger.request?.force).toBe(true);
    bench.store.put({ stopped: null });
    await renewed(bench, "token-2");
    expect(second.now).toMatchObject({ kind: "renewed" });
  });
});

describe("a wish that comes while a token is in hand that is not stored yet", () => {
  it("is not fulfilled by that token: another run follows", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    bench.issued.add(idOf("token-2"));
    const reply = follow(bench.lifecycle.renew(wish));
    bench.knobs.due = false;
    await renewed(bench, "token-2");
    expect(reply.now).toBeUndefined();
    expect(bench.runs).toHaveLength(3);
    bench.issued.add(idOf("token-3"));
    await renewed(bench, "token-3");
    expect(reply.now).toMatchObject({ kind: "renewed" });
    await bench.clock.advance(60_000);
    expect(bench.runs).toHaveLength(3);
  });
});

describe("a wish that was told 202 in an outage", () => {
  it("is tried again under back-off, until a token is stored", async () => {
    const bench = await startedLifecycle();
    const reply = follow(bench.lifecycle.renew({ force: false, waitMs: 0 }));
    await bench.clock.advance(0);
    expect(reply.now).toMatchObject({ kind: "under-way" });
    for (const runs of [2, 3, 4]) {
      expect(bench.runs).toHaveLength(runs);
      await bench.last().end(unreachable);
      expect(bench.runs).toHaveLength(runs);
      await bench.clock.advance(4_000);
    }
    expect(bench.last().trigger.request?.replaces(idOf("token-1"))).toBe(true);
    await renewed(bench, "token-2");
    await bench.clock.advance(600_000);
    expect(bench.runs).toHaveLength(5);
  });
});

describe("a person's request, while a process in another Pod holds the lock,", () => {
  const other = { words: "The Pod presto/rotator-b", pod: { namespace: "presto", name: "rotator-b" } };
  const sentOn = {
    kind: "lock-held",
    detail: expect.stringContaining("The Pod presto/rotator-b holds the renewal lock"),
    pod: other.pod,
    retryAfterMs: 5_000,
  };

  it("is sent there as soon as that is known, and stays not due", async () => {
    const bench = await startedLifecycle();
    const reply = follow(bench.lifecycle.renew(forced));
    const { trigger, onOtherHolder } = bench.last();
    expect(trigger.request?.force).toBe(true);
    onOtherHolder?.(other);
    await bench.clock.advance(0);
    expect(reply.now).toEqual(sentOn);
    // The run goes on waiting, and wants nothing for it any more: neither a token nor the alarm cleared.
    expect([trigger.request?.force, trigger.request?.replaces(idOf("token-1"))]).toEqual([false, false]);
    await bench.last().end({ kind: "nothing-to-do", detail: "not due" });
    await bench.clock.advance(60_000);
    expect(bench.runs).toHaveLength(2);
  });

  it("is sent there at once where the run waits already, and begins nothing", async () => {
    const bench = await startedLifecycle();
    bench.knobs.due = true;
    bench.lifecycle.recordChanged();
    bench.waitsFor = other;
    const reply = follow(bench.lifecycle.renew(wish));
    await bench.clock.advance(0);
    expect(reply.now).toEqual(sentOn);
    expect(bench.last().trigger.request).toBeUndefined();
  });

  it("waits where the holder is in no Pod, and one that was told to be due stays due", async () => {
    const bench = await startedLifecycle();
    const early = follow(bench.lifecycle.renew({ ...wish, waitMs: 1_000 }));
    const late = follow(bench.lifecycle.renew(wish));
    bench.last().onOtherHolder?.({ words: "A process on web-1", pod: undefined });
    await bench.clock.advance(1_000);
    expect([early.now, late.now]).toEqual([{ kind: "under-way", state: "idle" }, undefined]);
    bench.last().onOtherHolder?.(other);
    await bench.clock.advance(0);
    expect(late.now).toEqual(sentOn);
    expect(bench.last().trigger.request?.replaces(idOf("token-1"))).toBe(true);
  });
});
