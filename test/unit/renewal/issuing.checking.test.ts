import { describe, expect, it } from "vitest";

import { checking } from "../../../src/renewal/issuing.ts";
import { createRenewalBench, follow, type RenewalBench } from "../../support/renewal-bench.ts";
import { endOf, standing } from "../../support/renewal-cases.ts";

async function check(bench: RenewalBench) {
  return follow(checking(await bench.at(), { to: "checking", standing: standing(bench) }));
}

describe("R5: the last look before the call", () => {
  it("waits for the calls in flight, then takes a new term, then reads, in this order", async () => {
    const bench = createRenewalBench();
    const quiet = Promise.withResolvers<void>();
    bench.knobs.quiet = quiet.promise;
    const next = await check(bench);
    await bench.clock.advance(0);
    expect(bench.trail).toEqual(["quiet 2000"]);
    quiet.resolve();
    await bench.clock.advance(0);
    expect(bench.trail).toEqual(["quiet 2000", "lock again", "read"]);
    expect(next.now).toMatchObject({ to: "issuing", standing: { intent: { id: "own" } } });
  });

  it.each(["lost", "unclear"] as const)("sends nothing if the lock is %s", async (lockRenewal) => {
    const bench = createRenewalBench();
    bench.knobs.lockRenewal = lockRenewal;
    expect(await (await check(bench)).promise).toMatchObject({
      to: "clearing",
      end: { kind: "unreachable" },
    });
  });

  it.each([
    { left: 19_999, to: "clearing" },
    { left: 20_000, to: "issuing" },
  ])("needs the lock for ISSUE_TIMEOUT and a margin: with $left ms, $to", async ({ left, to }) => {
    const bench = createRenewalBench();
    await bench.clock.advance(1_000);
    bench.knobs.heldUntil = 1_000 + left;
    expect(await (await check(bench)).promise).toMatchObject({ to });
  });

  it("sends nothing if the record is another version than the intent made, whoever wrote it", async () => {
    const bench = createRenewalBench();
    bench.store.beforeRead(() => bench.store.put({}));
    expect(await (await check(bench)).promise).toMatchObject({
      to: "clearing",
      end: { kind: "unreachable" },
    });
  });

  it("sends nothing if the record can't be read", async () => {
    const bench = createRenewalBench();
    bench.store.failReads(1);
    expect(await (await check(bench)).promise).toMatchObject({
      to: "clearing",
      end: { kind: "unreachable" },
    });
  });

  it("sends nothing, and says that Presto refused, where every password was refused", async () => {
    const bench = createRenewalBench();
    const account = await bench.deps.accounts.next();
    if (account !== undefined) bench.deps.accounts.refused(account);
    const next = await (await check(bench)).promise;
    expect(next.to).toBe("clearing");
    expect(endOf(next)).toMatchObject({ kind: "refused", credentials: true });
  });

  it("sends nothing where the credentials can't be read", async () => {
    const bench = createRenewalBench();
    bench.credentials.fail(true);
    expect(await (await check(bench)).promise).toMatchObject({
      to: "clearing",
      end: { kind: "unreachable" },
    });
  });

  it("sends nothing if the process was asked to end while it waited", async () => {
    const bench = createRenewalBench();
    const quiet = Promise.withResolvers<void>();
    bench.knobs.quiet = quiet.promise;
    const next = await check(bench);
    bench.draining.abort();
    quiet.resolve();
    expect(await next.promise).toEqual({ to: "clearing", end: { kind: "shut-down" } });
  });
});
