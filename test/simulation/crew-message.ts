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

export type CrewResult = readonly SeedResult[];
