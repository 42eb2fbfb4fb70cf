import { deliberateFaults } from "./put-fault-in.ts";
import { playFor } from "./seed-thread.ts";

/** A thread that plays worlds of the token path. What it imports after the fault was put in is the program with that fault. */
await playFor(deliberateFaults, async () => (await import("./run-seed.ts")).runSeed);
