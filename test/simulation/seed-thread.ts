import { enableCompileCache } from "node:module";
import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";

import type { AnySeedResult, CrewResult, CrewStart, CrewTask } from "./crew.ts";
import type { DeliberateFault } from "./deliberate-faults.ts";
import { putFaultIn } from "./put-fault-in.ts";

/** Plays one seed to its end. */
export type RunSeed<Result extends AnySeedResult> = (seed: number, isTold: boolean) => Promise<Result>;

/**
 * What a thread of a crew does: puts in the fault that it was started with, and plays the seeds that it is given.
 * @param load imports the world, once the fault is in
 */
export async function playFor<Result extends AnySeedResult>(
  faults: readonly DeliberateFault[],
  load: () => Promise<RunSeed<Result>>,
): Promise<void> {
  const { fault }: CrewStart = workerData;
  if (fault !== undefined) putFaultIn(fault, faults);
  // A thread for each deliberate fault, of which each would strip the types of some 200 files.
  enableCompileCache();
  const runSeed = await load();
  const usualFrames = Error.stackTraceLimit;
  let stray: unknown;
  process.on("unhandledRejection", (reason) => (stray ??= reason ?? "nothing"));

  /** A rejection that nobody handles would have ended the program. */
  async function runCleanly(seed: number, isTold: boolean): Promise<Result> {
    stray = undefined;
    // Where an error was made is of use to whoever reads the story, and costs as much as the rest of an error's life.
    Error.stackTraceLimit = isTold ? usualFrames : 0;
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
    const results: Result[] = [];
    for (let seed = from; seed < from + count; seed += 1) {
      const result = await runCleanly(seed, isTold);
      results.push(result);
      if (untilFailure && result.failure !== undefined) break;
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window, and has no origin
    parentPort?.postMessage(results satisfies CrewResult<Result>);
  }

  parentPort?.on("message", (task: CrewTask) => void play(task));
}
