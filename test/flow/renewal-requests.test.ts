import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { holdWrites } from "../support/held-writes.ts";
import { createIssuingBench, issuePath, type IssuingBench } from "../support/issuing-bench.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench({ stored: "none" });
});
afterEach(() => bench.close());

describe("a person who asks for a new token", () => {
  it("is not told of the one that was in use when they asked, though it was not stored yet", async () => {
    // A slow issue, so that the write can be held up after the intent was written.
    const fault = bench.sandbox.setFault({ kind: "hold", path: issuePath, acts: true, times: 1 });
    const sidecar = await bench.start();
    await eventually(bench.issues).toBe(1);
    const held = await holdWrites(bench.path);
    fault.remove();
    // It serves from memory.
    await eventually(async () => (await sidecar.call()).status).toBe(200);
    const leaked = bench.sandbox.token;
    const reply = sidecar.renew("?wait=30s");
    await eventually(sidecar.status).toMatchObject({ renewal: { state: "storing" } });
    await held.release();
    expect(await reply).toMatchObject({ status: 200, body: { generation: 2 } });
    expect(bench.issues()).toBe(2);
    expect((await bench.record()).token?.reveal()).not.toBe(leaked);
    expect(bench.sandbox.token).not.toBe(leaked);
  });

  it("and does not wait for it (202), gets it all the same when the outage ends", async () => {
    const sidecar = await bench.start({ env: { PRESTO_PROBE_EVERY: "596h" } });
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    const outage = bench.sandbox.setFault({ kind: "reset-before-reading" });
    expect((await sidecar.renew("?wait=0s")).status).toBe(202);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "unreachable" } });
    expect(bench.issues()).toBe(1);
    outage.remove();
    await eventually(async () => (await bench.record()).generation).toBe(2);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "renewed" } });
    expect(bench.issues()).toBe(2);
  });
});
