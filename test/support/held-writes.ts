import { systemClock } from "../../src/clock.ts";
import { createSingleHostLock, writeLockPath } from "../../src/store/file/lock.ts";

/** Writes of one record, held back in every other process as long as this stands. */
export interface HeldWrites {
  release(): Promise<void>;
}

/**
 * Takes the lock that makes a write of this record a compare-and-set. A sidecar that is about
 * to write waits for it, 5 s at most; then the write has failed.
 */
export async function holdWrites(path: string): Promise<HeldWrites> {
  const lock = createSingleHostLock({
    path: writeLockPath(path),
    what: `the file ${path}`,
    clock: systemClock,
  });
  return lock.acquire({ waitMs: 2_000 });
}
