import { getEventListeners } from "node:events";

import { describe, expect, it } from "vitest";

import type { IssueEnd } from "../../../src/presto/auth.ts";
import type { NextState } from "../../../src/renewal/run.ts";
import { settling } from "../../../src/renewal/settling.ts";
import { defaultTimes } from "../../../src/renewal/types.ts";
import { createRenewalBench, follow, type Followed, type RenewalBench } from "../../support/renewal-bench.ts";
import { standing } from "../../support/renewal-cases.ts";
import { issuedToken, refusal, unclear } from "../../support/scripted-presto.ts";

const { settleMs } = defaultTimes;

interface LateCall {
  readonly next: Followed<NextState>;
  answer(end: IssueEnd): void;
  isHungUp(): boolean;
}

/** R4 of a call of our own that is given up and still listened to; `whenJudged` runs once a probe has settled it. */
async function settleLate(bench: RenewalBench, soleCall = false, whenJudged = () => {}): Promise<LateCall> {
  const account = await bench.deps.accounts.next();
  if (account === undefined) throw new Error("no account");
  const { promise, resolve } = Promise.withResolvers<IssueEnd>();
  let hungUp = false;
  const hangUp = (): void => {
    hungUp = true;
    resolve(unclear);
  };
  bench.closing.signal.addEventListener("abort", hangUp);
  const call = { soleCall, givenUpAt: 0, late: { end: promise, account, hangUp } };
  const state = { to: "settling", standing: standing(bench), call, underThisIntent: true } as const;
  const run = await bench.at();
  const isDue = (): boolean => {
    whenJudged();
    return false;
  };
  const deps = { ...run.deps, isDue };
  return {
    next: follow(settling({ ...run, deps }, state)),
    answer: resolve,
    isHungUp: () => hungUp,
  };
}

describe("R4: an answer that comes late counts as the answer", () => {
  it("a token is stored under the intent that it was asked for with", async () => {
    const bench = createRenewalBench();
    const late = await settleLate(bench);
    await bench.clock.advance(60_000);
    late.answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(0);
    expect(late.next.now).toMatchObject({
      to: "storing",
      standing: { intent: { id: "own" } },
      candidate: { since: 60_000 },
    });
  });

  it.each([
    {
      name: "429",
      end: refusal(429, 7_000),
      next: { to: "clearing", end: { kind: "refused", retryAfterMs: 7_000 } },
    },
    {
      name: "422",
      end: refusal(422),
      next: { to: "clearing", end: { kind: "refused", credentials: false } },
    },
    { name: "401", end: refusal(401), next: { to: "clearing", end: { kind: "refused", credentials: true } } },
  ])("a refusal proves that nothing was done: $name", async ({ end, next }) => {
    const bench = createRenewalBench();
    const late = await settleLate(bench);
    await bench.clock.advance(1_000);
    late.answer(end);
    await bench.clock.advance(0);
    expect(late.next.now).toMatchObject(next);
  });

  it("one that proves nothing changes nothing: SETTLE is still waited for", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "dead");
    const late = await settleLate(bench);
    await bench.clock.advance(1_000);
    late.answer(unclear);
    await bench.clock.advance(settleMs - 1_001);
    expect(late.next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(late.next.now).toMatchObject({ to: "intending" });
  });

  it("also while a probe is asked, whose answer is then nobody's business", async () => {
    const bench = createRenewalBench();
    bench.presto.says(
      "token-1",
      bench.clock.sleep(5_000).then(() => "dead"),
    );
    const late = await settleLate(bench, true);
    await bench.clock.advance(1_000);
    late.answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(0);
    expect(late.next.now).toMatchObject({ to: "storing" });
    await bench.clock.advance(10_000);
    expect(bench.told).toEqual([]);
  });

  it("also one that comes in the same moment as a probe that would end it otherwise", async () => {
    for (const verdict of ["dead", "alive"] as const) {
      const bench = createRenewalBench();
      const probe = Promise.withResolvers<typeof verdict>();
      bench.presto.says("token-1", probe.promise);
      const late = await settleLate(bench);
      await bench.clock.advance(settleMs);
      probe.resolve(verdict);
      late.answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
      await bench.clock.advance(0);
      expect(late.next.now).toMatchObject({ to: "storing" });
    }
  });

  it("also one that comes when a probe has just settled it, before that had a consequence", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    const late: LateCall = await settleLate(bench, false, () =>
      late.answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) }),
    );
    await bench.clock.advance(settleMs);
    expect(late.next.now).toMatchObject({ to: "storing" });
  });

  it("is not listened for any longer when probes and time have told", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    const late = await settleLate(bench);
    await bench.clock.advance(settleMs - 1);
    expect(late.isHungUp()).toBe(false);
    await bench.clock.advance(1);
    expect(late.next.now).toMatchObject({ to: "clearing" });
    expect(late.isHungUp()).toBe(true);
  });
});

describe("R4: a process that is asked to end", () => {
  it("goes on listening for the answer to its call, and stores the token", async () => {
    const bench = createRenewalBench();
    const late = await settleLate(bench);
    bench.draining.abort();
    await bench.clock.advance(20_000);
    expect(late.next.now).toBeUndefined();
    late.answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(0);
    expect(late.next.now).toMatchObject({ to: "storing" });
  });

  it("makes no other call when that answer is a refusal of the first of two passwords", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    const late = await settleLate(bench);
    bench.draining.abort();
    late.answer(refusal(401));
    await bench.clock.advance(0);
    expect(late.next.now).toMatchObject({ to: "clearing", end: { kind: "shut-down" } });
  });

  it("ends when its time is over, and leaves the intent to the next one", async () => {
    const bench = createRenewalBench();
    const late = await settleLate(bench);
    bench.draining.abort();
    await bench.clock.advance(20_000);
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(late.next.now).toEqual({ to: "idle", end: { kind: "shut-down" } });
    expect(bench.store.record().intent?.id).toBe("own");
  });

  it("has left nothing hanging on its signals, however often it has settled", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    const before = getEventListeners(bench.draining.signal, "abort").length;
    for (let times = 0; times < 5; times += 1) {
      const late = await settleLate(bench);
      await bench.clock.advance(settleMs);
      expect(late.next.now).toMatchObject({ to: "clearing" });
    }
    expect(getEventListeners(bench.draining.signal, "abort").length).toBe(before);
  });
});
