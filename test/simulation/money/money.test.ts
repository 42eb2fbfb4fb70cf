import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { createCrew } from "../crew.ts";
import { moneyFaults } from "./money-faults.ts";
import { type MoneySeedResult, runMoneySeed } from "./run-seed.ts";

/** Within so many seeds each deliberate fault must be found. */
const mostSeeds = 3_000;
const page = readFileSync(fileURLToPath(new URL("../../../docs/simulation.md", import.meta.url)), "utf8");

/** The seed by which the proof found a fault: it is looked for there first. */
function seedOf(fault: string): number {
  return Number(new RegExp(`^\\| \`${fault}\` \\|.*\\| ([0-9]+) \\|$`, "m").exec(page)?.[1] ?? 1);
}

async function play(count: number, fault?: string, from = 1): Promise<MoneySeedResult[]> {
  const program = new URL("worker.ts", import.meta.url);
  const crew = createCrew<MoneySeedResult>(2, { fault }, program);
  const failed: MoneySeedResult[] = [];
  try {
    await crew.play({ from, count, isTold: false, untilFailure: fault !== undefined }, (results) => {
      failed.push(...results.filter(({ failure }) => failure !== undefined));
      return failed.length === 0;
    });
  } finally {
    await crew.close();
  }
  return failed;
}

describe("two sidecars and the money", () => {
  it("keep every property", async () => {
    expect(await play(300)).toEqual([]);
  });

  it.each(moneyFaults)("find the deliberate fault $name", async ({ name }) => {
    const known = await play(1, name, seedOf(name));
    const failed = known.length > 0 ? known : await play(mostSeeds, name);
    const properties = failed.map(({ failure }) => failure?.property);
    expect(properties).not.toEqual([]);
    // A program that merely breaks down was not caught by a claim.
    expect(properties).not.toContain("defect");
  });

  it("tell the same story for the same seed", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const first = await runMoneySeed(seed, true);
      expect(first.story.length).toBeGreaterThan(2);
      expect(await runMoneySeed(seed, true)).toEqual(first);
    }
  });
});
