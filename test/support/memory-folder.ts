import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";

/**
 * Where a record lies whose writes are timed by a clock that is many times as fast as the system's:
 * in memory where the system has a place for that (shm_overview(7)). On a disk that others keep
 * busy a sync takes tenths of a second, which by such a clock are more than a store may need.
 */
export function memoryFolder(): string {
  const shared = "/dev/shm";
  try {
    accessSync(shared, constants.W_OK);
    return shared;
  } catch {
    return tmpdir();
  }
}
