import { expect } from "vitest";

import type { FleetPlace } from "./place.ts";
import { reportOf } from "./report.ts";
import { runFleet } from "./run.ts";

/** What a short run may take, milliseconds: one minute, and what it takes until a lease that was left behind has run out. */
export const shortRunMs = 240_000;

/** A minute of what `npm run fleet` does for four, which has the time for leases that run out. */
export async function expectShortRun(open: () => Promise<FleetPlace>): Promise<void> {
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
    // One in which a lease has to run out takes half of the time.
    expect(story.strikes.length).toBeGreaterThan(0);
  } finally {
    await place.close();
  }
}
