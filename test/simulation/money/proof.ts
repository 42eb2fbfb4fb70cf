import { type Crew, createCrew } from "../crew.ts";
import type { Proof } from "../prove.ts";
import { moneyFaults } from "./money-faults.ts";
import type { MoneySeedResult } from "./run-seed.ts";

/** Threads that play worlds of money. */
export function createMoneyCrew(size: number, fault?: string): Crew<MoneySeedResult> {
  return createCrew(size, { fault }, new URL("worker.ts", import.meta.url));
}

/** Of the claims about money. */
export const moneyProof: Proof = {
  faults: moneyFaults,
  createCrew: createMoneyCrew,
  mark: "the proof of money",
};
