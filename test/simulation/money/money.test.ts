import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { findAgain, findFailures } from "../prove.ts";
import { moneyFaults } from "./money-faults.ts";
import { createMoneyCrew, moneyProof } from "./proof.ts";
import { runMoneySeed } from "./run-seed.ts";

/** Within so many seeds each deliberate fault must be found. */
const mostSeeds = 3_000;
const page = readFileSync(fileURLToPath(new URL("../../../docs/simulation.md", import.meta.url)), "utf8");

describe("two sidecars and the money", () => {
  it("keep every property", async () => {
    expect(await findFailures(createMoneyCrew(2), 1, 300, 1)).toEqual([]);
  });

  it.each(moneyFaults)("find the deliberate fault $name", async ({ name }) => {
    const found = await findAgain(name, { page, count: mostSeeds }, moneyProof);
    expect(found).toBeDefined();
    // A program that merely breaks down was not caught by a claim.
    expect(found?.failure?.property).not.toBe("defect");
  });

  it("tell the same story for the same seed", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const first = await runMoneySeed(seed, true);
      expect(first.story.length).toBeGreaterThan(2);
      expect(await runMoneySeed(seed, true)).toEqual(first);
    }
  });
});
