import { expect, it } from "vitest";

import { openKubePlace } from "./fleet/kube-place.ts";
import { reportOf } from "./fleet/report.ts";
import { runFleet } from "./fleet/run.ts";
import { openVaultPlace } from "./fleet/vault-place.ts";

// Short runs of `npm run fleet`, which has the time for leases that run out.

it.each([
  ["a real API server", openKubePlace],
  ["three real OpenBaos", openVaultPlace],
] as const)(
  "three proxies and two rotators over %s: no call fails in peace, none is told a lie, and one live token is left",
  { timeout: 240_000 },
  async (_, open) => {
    const place = await open();
    try {
      const story = await runFleet(place, {
        seed: 13,
        peaceMs: 12_000,
        strikesMs: 30_000,
        callers: 24,
        renewEveryMs: 5_000,
        // Other tests take their share of the machine.
        longestCallMs: 8_000,
        tell: (line) => void process.stderr.write(`${line}\n`),
      });
      process.stdout.write(reportOf(story));
      expect(story.problems).toEqual([]);
      expect(story.strikes.length).toBeGreaterThan(2);
    } finally {
      await place.close();
    }
  },
);
