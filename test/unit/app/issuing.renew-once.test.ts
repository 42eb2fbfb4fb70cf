import { describe, expect, it } from "vitest";

import { renewOnce } from "../../../src/app/issuing.ts";
import { Secret } from "../../../src/secret.ts";
import { createRenewalBench, follow, type RenewalBench } from "../../support/renewal-bench.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

function once(bench: RenewalBench, force = false) {
  return follow(renewOnce(bench.deps, { force, lockWaitMs: 5_000, signal: bench.draining.signal }));
}

describe("one renewal at a command line", () => {
  it("is a wish for another token than the stored one, also where a person alone issues", async () => {
    const bench = createRenewalBench({ automatic: false });
    bench.presto.says("token-1", "alive");
    bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    const run = once(bench);
    await bench.clock.advance(0);
    expect(run.now).toMatchObject({ kind: "renewed", generation: 2 });
    expect(bench.store.written[0]?.intent?.reason).toBe("manual");
  });

  it("issues nothing where somebody else has renewed while it waited for the lock", async () => {
    const bench = createRenewalBench();
    const lock = Promise.withResolvers<void>();
    bench.knobs.lockFree = lock.promise;
    const run = once(bench);
    await bench.clock.advance(0);
    bench.store.put({ token: new Secret("token-2"), generation: 2 });
    lock.resolve();
    await bench.clock.advance(0);
    // The other's token is as new as one of its own would be.
    expect(run.now).toMatchObject({ kind: "renewed", generation: 2 });
    expect(bench.presto.calls).toEqual([]);
  });

  it.each([
    { force: false, kind: "stopped" },
    { force: true, kind: "renewed" },
  ])("with the alarm latched, forced $force: $kind", async ({ force, kind }) => {
    const bench = createRenewalBench({ stored: { stopped: { reason: "two owners", at: new Date(0) } } });
    bench.presto.says("token-1", "dead");
    bench.presto.will({ kind: "issued", issued: issuedToken("token-2", bench.clock.now()) });
    const run = once(bench, force);
    await bench.clock.advance(1_000);
    expect(run.now).toMatchObject({ kind });
  });

  it("listens for an answer for 25 s after it was interrupted, and no longer", async () => {
    const bench = createRenewalBench();
    bench.presto.says("token-1", "alive");
    const run = once(bench);
    await bench.clock.advance(20_000);
    expect(bench.presto.calls).toHaveLength(1);
    bench.draining.abort();
    await bench.clock.advance(24_999);
    expect(run.now).toBeUndefined();
    await bench.clock.advance(1);
    expect(run.now).toEqual({ kind: "shut-down" });
    expect(bench.store.record().intent).not.toBeNull();
    expect(bench.trail.at(-1)).toBe("unlock");
  });
});
