import { describe, expect, it } from "vitest";

import { defaultTimes } from "../../../src/renewal/types.ts";
import { Secret } from "../../../src/secret.ts";
import type { TokenRecord } from "../../../src/store/contract.ts";
import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { intentBy, rejected } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

const { settleMs } = defaultTimes;

/** A process that finds what a killed one has left. */
function next(stored: Partial<TokenRecord>): RenewalBench {
  const bench = createRenewalBench({ stored });
  bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
  return bench;
}

const left = (soleCall: boolean) => ({ intent: intentBy("killed", { soleCall }) });

describe("after a process was killed, the next one", () => {
  it("starts afresh where no intent was written", async () => {
    const bench = next({});
    bench.knobs.due = true;
    bench.presto.says("token-1", "alive");
    const run = bench.begin();
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.written[0]?.intent).toMatchObject({ reason: "scheduled", soleCall: true });
  });

  it("clears an intent that nothing came of, after SETTLE, where the token lives and is not due", async () => {
    const bench = next(left(true));
    bench.presto.says("token-1", "alive");
    const run = bench.begin();
    await bench.clock.advance(settleMs - 1);
    expect(run.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(run.now).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.store.record()).toMatchObject({ intent: null, generation: 1 });
    expect(bench.presto.calls).toEqual([]);
  });

  it("renews after SETTLE, not before, where the token lives and is due", async () => {
    const bench = next(left(true));
    bench.knobs.due = true;
    bench.presto.says("token-1", "alive");
    const run = bench.begin();
    await bench.clock.advance(settleMs - 1);
    expect(bench.presto.calls).toEqual([]);
    await bench.clock.advance(1);
    expect(run.now).toMatchObject({ kind: "renewed" });
  });

  it("renews at once where the one call that was made has been executed and its token is lost", async () => {
    const bench = next(left(true));
    bench.presto.says("token-1", "dead");
    const run = bench.begin();
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.clock.monotonic()).toBe(0);
    // Before it probes or issues, its own intent stands over the found one: a holder that wakes up finds its write refused.
    expect(bench.trail.slice(0, 4)).toEqual(["lock", "read", "write", "notice"]);
    expect(bench.store.written[0]?.intent).toMatchObject({
      holder: "this-process",
      reason: "takeover",
      soleCall: false,
    });
  });

  it("renews after SETTLE where the dead token may have been killed by an earlier call", async () => {
    const bench = next(left(false));
    bench.presto.says("token-1", "dead");
    const run = bench.begin();
    await bench.clock.advance(settleMs - 1);
    expect(bench.presto.calls).toEqual([]);
    await bench.clock.advance(1);
    expect(run.now).toMatchObject({ kind: "renewed" });
  });

  it("renews as soon as a call in transit is executed while it waits", async () => {
    const bench = next(left(true));
    bench.presto.says("token-1", "alive", "alive", "dead");
    const run = bench.begin();
    await bench.clock.advance(3_000);
    expect(run.now).toMatchObject({ kind: "renewed" });
  });

  it("does not count a death that the found intent explains", async () => {
    const bench = next({
      ...left(true),
      unexplainedDeaths: [1, 2, 3].map((each) => new Date(Date.now() - each)),
    });
    bench.presto.says("token-1", "dead");
    bench.begin(rejected("token-1"));
    await bench.clock.advance(0);
    expect(bench.store.record()).toMatchObject({ stopped: null, generation: 2 });
    expect(bench.store.record().unexplainedDeaths).toHaveLength(3);
  });

  it("does nothing where the new token was stored", async () => {
    const bench = next({ token: new Secret("token-9"), generation: 9, intent: null });
    expect(await bench.begin().promise).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.store.written).toEqual([]);
  });

  it("is not disturbed by the killed one's last write, which arrives late", async () => {
    const bench = next(left(true));
    bench.presto.says("token-1", "alive");
    const seen = bench.store.current()?.version;
    bench.begin();
    await bench.clock.advance(1_000);
    const late = { ...bench.store.record(), token: new Secret("token-x"), intent: null };
    expect(await bench.store.write(late, seen)).toEqual({ outcome: "refused" });
    await bench.clock.advance(settleMs);
    expect(bench.store.record().token?.reveal()).toBe("token-1");
  });

  it("makes no second call when the killed one's last write arrives between its reading and its intent", async () => {
    const bench = next(left(true));
    bench.presto.says("token-1", "dead");
    bench.presto.says("token-x", "alive");
    bench.store.beforeWrite(() =>
      bench.store.put({ token: new Secret("token-x"), generation: 2, intent: null }),
    );
    const run = bench.begin();
    await bench.clock.advance(1_000);
    expect(run.now).toMatchObject({ kind: "nothing-to-do" });
    expect(bench.presto.calls).toEqual([]);
    expect(bench.store.record().token?.reveal()).toBe("token-x");
  });

  it("finds the token of a restored backup dead, and renews: one issue, counted as a death", async () => {
    const bench = next({ generation: 1, token: new Secret("token-0") });
    bench.presto.says("token-0", "dead");
    const run = bench.begin(rejected("token-0"));
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed", generation: 2 });
    expect(bench.store.record().unexplainedDeaths).toHaveLength(1);
  });
});
