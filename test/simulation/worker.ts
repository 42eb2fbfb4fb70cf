import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";

import type { CrewResult, CrewStart, CrewTask } from "./crew.ts";
import { putFaultIn } from "./put-fault-in.ts";
import type { SeedResult } from "./run-seed.ts";

/** A thread that plays seeds. What it imports after the fault was put in is the program with that fault. */
const { fault }: CrewStart = workerData;
if (fault !== undefined) putFaultIn(fault);
const { runSeed } = await import("./run-seed.ts");

let stray: unknown;
process.on("unhandledRejection", (reason) => (stray ??= reason ?? "nothing"));

/** A rejection that nobody handles would have ended the program. */
async function runCleanly(seed: number, isTold: boolean): Promise<SeedResult> {
  stray = undefined;
  const result = await runSeed(seed, isTold);
  // Node tells of such a rejection when it comes round to its event loop.
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  if (stray === undefined || result.failure !== undefined) return result;
  const message = stray instanceof Error ? (stray.stack ?? stray.message) : inspect(stray);
  return { ...result, failure: { property: "defect", message: `a rejection was not handled: ${message}` } };
}

async function play({ from, count, isTold, untilFailure }: CrewTask): Promise<void> {
  const results: SeedResult[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await runCleanly(seed, isTold);
    results.push(result);
    if (untilFailure && result.failure !== undefined) break;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window, and has no origin
  parentPort?.postMessage(results satisfies CrewResult);
}

parentPort?.on("message", (task: CrewTask) => void play(task));
