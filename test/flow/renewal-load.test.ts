import { afterEach, beforeEach, expect, it } from "vitest";

import { createIssuingBench } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import { formatLoad, loadWhileRenewed } from "../support/renewal-load.ts";

// Ten seconds of it; thirty, by the built program, are run and printed by `node test/bench/renewal.ts`.

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

it.each([
  { name: "asked for every second", how: "asked", seconds: 10 },
  { name: "due every second or two, by PRESTO_RENEW_AT", how: "due", seconds: 6 },
] as const)(
  "64 callers see nothing of renewals that are $name",
  async ({ how, seconds }) => {
    const { renewals, figures, failed } = await loadWhileRenewed(bench, { how, seconds, callers: 64 });
    process.stdout.write(formatLoad(figures));
    expect(failed).toEqual([]);
    expect(renewals).toBeGreaterThanOrEqual(1);
    // Each call acted once, and each renewal made one issue call.
    expect(bench.sandbox.state().transactions).toHaveLength(figures.calls);
    expect(bench.issues()).toBe(renewals);
    expect(await bench.record()).toMatchObject({ intent: null, unexplainedDeaths: [], stopped: null });
    expect((await bench.record()).generation).toBe(renewals + 1);
  },
  120_000,
);
