import { playFor } from "../seed-thread.ts";
import { moneyFaults } from "./money-faults.ts";

/** A thread that plays worlds of money. What it imports after the fault was put in is the program with that fault. */
await playFor(moneyFaults, async () => (await import("./run-seed.ts")).runMoneySeed);
