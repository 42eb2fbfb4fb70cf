import { once } from "node:events";
import { Worker } from "node:worker_threads";

import type { SeedResult } from "./run-seed.ts";

/** What a worker thread is started with. */
export interface CrewStart {
  /** Name of the deliberate fault to put in. */
  readonly fault: string | undefined;
}

/** Seeds to play. */
export interface CrewTask {
  readonly from: number;
  readonly count: number;
  readonly isTold: boolean;
  /** Stop at the first that fails. */
  readonly untilFailure: boolean;
}

/** What any world's seed comes to. */
export interface AnySeedResult {
  readonly seed: number;
  /** Undefined if every property held. */
  readonly failure: { readonly property: string; readonly message: string } | undefined;
  readonly story: readonly string[];
}

export type CrewResult<Result = SeedResult> = readonly Result[];

/** Threads that share out the seeds. */
export interface Crew<Result extends AnySeedResult = SeedResult> {
  /** Plays the seeds; `onResults` is called with each lot, in no order, and answers false to have no more begun. */
  play(seeds: Seeds, onResults: (results: readonly Result[]) => boolean): Promise<void>;
  /** Plays one seed and brings its story. */
  tell(seed: number): Promise<Result>;
  close(): Promise<void>;
}

export interface Seeds {
  readonly from: number;
  readonly count: number;
  readonly isTold: boolean;
  readonly untilFailure: boolean;
}

/** Seeds for one lot: few enough that progress shows, so many that the handing over costs nothing. */
const mostInLot = 40;

/** A world lives for some milliseconds: with so much room most of it is gone before it is ever copied. */
const maxYoungGenerationSizeMb = 96;

/** @param program what each thread runs: it plays the seeds of one world */
export function createCrew<Result extends AnySeedResult = SeedResult>(
  size: number,
  start: CrewStart,
  program: URL = new URL("worker.ts", import.meta.url),
): Crew<Result> {
  const workers = Array.from(
    { length: size },
    () => new Worker(program, { workerData: start, resourceLimits: { maxYoungGenerationSizeMb } }),
  );

  // Whoever waits for an answer hears of it; that nobody waits must not end the program.
  for (const worker of workers) worker.on("error", () => {});

  async function ask(worker: Worker, task: CrewTask): Promise<CrewResult<Result>> {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window, and has no origin
    worker.postMessage(task);
    // A thread that fails to start rejects this, too.
    const [results]: CrewResult<Result>[] = await once(worker, "message");
    return results ?? [];
  }

  return {
    async play({ from, count, isTold, untilFailure }, onResults) {
      const end = from + count;
      let next = from;
      let stopped = false;
      const work = async (worker: Worker): Promise<void> => {
        while (next < end && !stopped) {
          const size = Math.min(mostInLot, end - next);
          const task = { from: next, count: size, isTold, untilFailure };
          next += size;
          if (!onResults(await ask(worker, task))) stopped = true;
        }
      };
      await Promise.all(workers.map(work));
    },
    async tell(seed) {
      const [worker] = workers;
      if (worker === undefined) throw new Error("the crew is empty");
      const [result] = await ask(worker, { from: seed, count: 1, isTold: true, untilFailure: false });
      if (result === undefined) throw new Error(`seed ${seed} was not played`);
      return result;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
