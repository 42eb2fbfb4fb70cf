import { getEventListeners } from "node:events";

import { describe, expect, it } from "vitest";

import { issuing } from "../../../src/renewal/issuing.ts";
import { defaultTimes } from "../../../src/renewal/types.ts";
import type { Intent } from "../../../src/store/contract.ts";
import { createRenewalBench, dayMs, follow, type RenewalBench } from "../../support/renewal-bench.ts";
import { endOf, standing } from "../../support/renewal-cases.ts";
import { issuedToken, refusal, unclear } from "../../support/scripted-presto.ts";

const { issueTimeoutMs } = defaultTimes;

async function issue(bench: RenewalBench, intent: Partial<Intent> = {}) {
  const account = await bench.deps.accounts.next();
  if (account === undefined) throw new Error("no account");
  return follow(issuing(await bench.at(), { to: "issuing", standing: standing(bench, intent), account }));
}

describe("R6: one call", () => {
  it("asks for a token under the configured name, to the 00:00 UTC after the days asked for", async () => {
    const bench = createRenewalBench();
    await bench.clock.advance(60_000);
    await issue(bench);
    await bench.clock.advance(0);
    const { account, name, expiresAt } = bench.presto.last().request;
    expect([account.email.reveal(), account.password.reveal()]).toEqual(["somebody@example.org", "current"]);
    expect({ name, expiresAt }).toEqual({ name: "tests", expiresAt: new Date("2027-02-23T00:00:00Z") });
  });

  it("asks for exactly the days where it is made at 00:00 UTC", async () => {
    const bench = createRenewalBench();
    await issue(bench);
    await bench.clock.advance(0);
    expect(bench.presto.last().request.expiresAt).toEqual(new Date("2027-02-22T00:00:00Z"));
  });

  it("counts the days by Presto's clock, and not by one of this host that is days behind", async () => {
    const bench = createRenewalBench();
    bench.clock.setWall(-100 * dayMs);
    bench.knobs.prestoAheadMs = 100 * dayMs;
    await issue(bench);
    await bench.clock.advance(0);
    expect(bench.presto.last().request.expiresAt).toEqual(new Date("2027-02-22T00:00:00Z"));
  });

  it("that brings a token leads to R7, with the token in memory from now on", async () => {
    const bench = createRenewalBench();
    const next = await issue(bench);
    await bench.clock.advance(5_000);
    const issued = issuedToken("token-2", bench.clock.now());
    bench.presto.last().answer({ kind: "issued", issued });
    await bench.clock.advance(0);
    expect(next.now).toMatchObject({ to: "storing", candidate: { issued, since: 5_000 } });
    expect(bench.told).toEqual(["issue issued"]);
  });

  it.each([
    { status: 422, retryAfterMs: undefined, end: { credentials: false } },
    { status: 429, retryAfterMs: 9_000, end: { credentials: false, retryAfterMs: 9_000 } },
    { status: 401, retryAfterMs: undefined, end: { credentials: true } },
  ] as const)(
    "that is refused clearly ($status) was not executed: R8",
    async ({ status, retryAfterMs, end }) => {
      const bench = createRenewalBench();
      bench.presto.will(refusal(status, retryAfterMs));
      expect(await (await issue(bench)).promise).toMatchObject({
        to: "clearing",
        end: { kind: "refused", ...end },
      });
    },
  );

  it("refused by 401 is followed by the other kept password, under an intent of its own", async () => {
    const bench = createRenewalBench();
    bench.credentials.put({ password: "current", pending: "pending" });
    bench.presto.will(refusal(401), refusal(401));
    const next = await (await issue(bench, { soleCall: true, reason: "manual" })).promise;
    expect(bench.presto.last().request.account.password.reveal()).toBe("pending");
    expect(next).toMatchObject({
      to: "intending",
      reason: "manual",
      soleCall: false,
      found: bench.store.current(),
    });
    // That one refused, too: the reset may still be executed, so this is not the end of all hope.
    const last = await (await issue(bench)).promise;
    expect(bench.presto.last().request.account.password.reveal()).toBe("current");
    expect(endOf(last)).toMatchObject({ kind: "refused", credentials: false });
  });

  it.each([true, false])(
    "without a clear answer may have been executed (soleCall %s): R4",
    async (soleCall) => {
      const bench = createRenewalBench();
      const next = await issue(bench, { soleCall });
      await bench.clock.advance(3_000);
      bench.presto.last().answer(unclear);
      await bench.clock.advance(0);
      expect(next.now).toMatchObject({
        to: "settling",
        call: { soleCall, givenUpAt: 3_000 },
        underThisIntent: true,
      });
      expect(next.now).not.toHaveProperty("call.late");
    },
  );

  it("is given up after ISSUE_TIMEOUT, and listened to all the same", async () => {
    const bench = createRenewalBench();
    const next = await issue(bench, { soleCall: true });
    await bench.clock.advance(issueTimeoutMs - 1);
    expect(next.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(next.now).toMatchObject({
      to: "settling",
      call: { soleCall: true, givenUpAt: issueTimeoutMs, late: { account: { password: {} } } },
      underThisIntent: true,
    });
    expect(bench.presto.last().control.signal.aborted).toBe(false);
    expect(bench.told).toEqual(["issue unclear"]);
  });
});

describe("R6: right before the first byte", () => {
  it("nothing is sent once the process was asked to end: R8", async () => {
    const bench = createRenewalBench();
    bench.presto.beforeFirstByte(() => bench.draining.abort());
    expect(await (await issue(bench)).promise).toEqual({ to: "clearing", end: { kind: "shut-down" } });
    expect(bench.presto.calls).toEqual([]);
  });

  it.each([
    { left: issueTimeoutMs, to: "clearing" },
    { left: issueTimeoutMs + 1, to: "issued" },
  ])("the lock must outlive the call: with $left ms, $to", async ({ left, to }) => {
    const bench = createRenewalBench();
    bench.knobs.heldUntil = left;
    bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    const next = await (await issue(bench)).promise;
    if (to === "clearing") expect(endOf(next)).toMatchObject({ kind: "unreachable" });
    else expect(next).toMatchObject({ to: "storing" });
    expect(bench.presto.calls).toHaveLength(to === "clearing" ? 0 : 1);
  });
});

describe("R6: a process that ends", () => {
  it("hangs up when its time is over", async () => {
    const bench = createRenewalBench();
    const next = await issue(bench);
    await bench.clock.advance(1_000);
    bench.draining.abort();
    await bench.clock.advance(1_000);
    expect(next.now).toBeUndefined();
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(bench.presto.last().control.signal.aborted).toBe(true);
    expect(next.now).toMatchObject({ to: "settling" });
  });

  it("has nothing left hanging on its signal after its calls", async () => {
    const bench = createRenewalBench();
    bench.presto.will(refusal(429), refusal(429), refusal(429));
    for (let calls = 0; calls < 3; calls += 1) await (await issue(bench)).promise;
    expect(getEventListeners(bench.closing.signal, "abort")).toHaveLength(0);
  });
});
