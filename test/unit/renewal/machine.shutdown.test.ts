import { describe, expect, it } from "vitest";

import { createRenewalBench, type RenewalBench } from "../../support/renewal-bench.ts";
import { intentBy, wishBeyond } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

/** A run that a person wished for, with a token that lives. */
function beginWished(bench: RenewalBench) {
  bench.presto.says("token-1", "alive");
  return bench.begin(wishBeyond("token-1"));
}

describe("a process that is asked to end", () => {
  it("begins nothing, if it has just got the lock", async () => {
    const bench = createRenewalBench();
    const lock = Promise.withResolvers<void>();
    bench.knobs.lockFree = lock.promise;
    const run = beginWished(bench);
    await bench.clock.advance(0);
    lock.resolve();
    await lock.promise;
    bench.draining.abort();
    await run.promise.catch(() => {});
    expect(bench.store.written).toEqual([]);
    expect(bench.presto.calls).toEqual([]);
  });

  it("writes no intent after that", async () => {
    const bench = createRenewalBench();
    const verdict = Promise.withResolvers<"alive">();
    bench.presto.says("token-1", verdict.promise);
    const run = bench.begin(wishBeyond("token-1"));
    await bench.clock.advance(0);
    bench.draining.abort();
    verdict.resolve("alive");
    await bench.clock.advance(0);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.written).toEqual([]);
    expect(bench.trail.at(-1)).toBe("unlock");
  });

  it("writes none either where there is no token to be probed first", async () => {
    const bench = createRenewalBench({ stored: null });
    bench.store.beforeRead(() => bench.draining.abort());
    expect(await bench.begin().promise).toEqual({ kind: "shut-down" });
    expect(bench.store.written).toEqual([]);
  });

  it("gives the lock back at once, and does not wait for the calls of others first", async () => {
    const bench = createRenewalBench();
    bench.knobs.quiet = new Promise(() => {});
    const run = beginWished(bench);
    await bench.clock.advance(0);
    expect(bench.renewal.state()).toBe("checking");
    bench.draining.abort();
    await bench.clock.advance(0);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.record().intent).toBeNull();
    expect(bench.trail.at(-1)).toBe("unlock");
  });

  it("takes its intent back, if nothing was sent yet", async () => {
    const bench = createRenewalBench();
    const quiet = Promise.withResolvers<void>();
    bench.knobs.quiet = quiet.promise;
    const run = beginWished(bench);
    await bench.clock.advance(0);
    expect(bench.renewal.state()).toBe("checking");
    bench.draining.abort();
    quiet.resolve();
    await bench.clock.advance(0);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.record().intent).toBeNull();
    expect(bench.presto.calls).toEqual([]);
  });

  it("finishes what was sent: the token is stored", async () => {
    const bench = createRenewalBench();
    const run = beginWished(bench);
    await bench.clock.advance(0);
    expect(bench.renewal.state()).toBe("issuing");
    bench.draining.abort();
    await bench.clock.advance(10_000);
    expect(run.now).toBeUndefined();
    bench.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
  });

  it("stores the token of an answer that comes late in that time, too", async () => {
    const bench = createRenewalBench();
    const run = beginWished(bench);
    await bench.clock.advance(16_000);
    expect(bench.renewal.state()).toBe("settling");
    bench.draining.abort();
    await bench.clock.advance(5_000);
    bench.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.record()).toMatchObject({ generation: 2, intent: null });
  });

  it("leaves another process's call, which it was settling, to the next one", async () => {
    const bench = createRenewalBench({ stored: { intent: intentBy("another") } });
    const run = bench.begin();
    await bench.clock.advance(1_000);
    expect(bench.renewal.state()).toBe("settling");
    bench.draining.abort();
    await bench.clock.advance(0);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.record().intent).not.toBeNull();
    expect(bench.trail.at(-1)).toBe("unlock");
  });
});

describe("a process whose time is over", () => {
  it("has its last token written once, if it was heard in that moment", async () => {
    const bench = createRenewalBench();
    const run = beginWished(bench);
    await bench.clock.advance(0);
    bench.draining.abort();
    bench.presto.last().answer({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed" });
    expect(bench.store.record().token?.reveal()).toBe("token-2");
  });

  it("ends wherever it is, and leaves its intent to the next one", async () => {
    const bench = createRenewalBench();
    const run = beginWished(bench);
    await bench.clock.advance(1_000);
    bench.draining.abort();
    bench.closing.abort();
    await bench.clock.advance(0);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.record().intent).toMatchObject({ holder: "this-process", soleCall: true });
    expect(bench.trail.at(-1)).toBe("unlock");
  });
});
