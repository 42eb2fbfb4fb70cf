import { afterEach, beforeEach, expect, it } from "vitest";

import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, type IssuingBench } from "../support/issuing-bench.ts";
import { eventually } from "../support/sidecar-load.ts";

let bench: IssuingBench;

/** Ten times as fast: a death takes two 401s that are 2 s apart. */
const clock = createFastClock(10);
const env = { PRESTO_TIMEOUT: "200s", PRESTO_HOLD_MAX: "100s", PRESTO_CONNECT_TIMEOUT: "50s" };

beforeEach(async () => {
  bench = await createIssuingBench({ sandbox: { now: clock.now } });
});
afterEach(() => bench.close());

it("one dead token and a wrong password, five starts: no alarm, and the right password helps", async () => {
  bench.sandbox.revokeToken();
  for (let starts = 1; starts <= 5; starts += 1) {
    const sidecar = await bench.start({ clock, env: { ...env, PRESTO_PASSWORD: "Not-the-password-1" } });
    await eventually(bench.issues).toBe(starts);
    await sidecar.renewalSays({ state: "idle", last_end: { kind: "refused" }, unexplained_deaths_24h: 0 });
    await sidecar.close();
  }
  expect(await bench.record()).toMatchObject({ stopped: null, unexplainedDeaths: [], intent: null });
  const sidecar = await bench.start({ clock, env });
  expect((await sidecar.call()).status).toBe(200);
  await eventually(bench.record).toMatchObject({ generation: 2, stopped: null });
  expect((await bench.record()).unexplainedDeaths).toHaveLength(1);
});
