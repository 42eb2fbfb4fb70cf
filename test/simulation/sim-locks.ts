import type { RenewalLock } from "../../src/store/contract.ts";
import type { SimProcess } from "./sim-process.ts";

/** The lock of a world, of whichever kind. */
export interface SimLocks {
  forProcess(process: SimProcess): RenewalLock;
  /** Milliseconds for which nobody else can have what this process has, or is about to have. */
  termLeft(process: SimProcess): number;
  /** Which process took it last, and how often anybody did, so far. */
  holder(): SimProcess | undefined;
}

/** The lock was given to somebody. */
export type OnTaken = (process: SimProcess) => void;
