import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { createSingleHostLock } from "../../src/store/file/lock.ts";

/** Where the real servers are kept, outside of the checkout: `~/.cache/presto-sidecar-cluster`, or `PRESTO_TEST_CLUSTER_CACHE`. */
export function cacheFolder(): string {
  return process.env["PRESTO_TEST_CLUSTER_CACHE"] ?? join(homedir(), ".cache", "presto-sidecar-cluster");
}

/**
 * One process at a time puts something there of that name: whoever comes meanwhile waits, and then finds it; nobody
 * waits for what he does not need.
 */
export async function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  const folder = cacheFolder();
  await mkdir(folder, { recursive: true });
  const lock = createSingleHostLock({
    path: join(folder, `${name}.lock`),
    what: `${name} in the cache ${folder}`,
    clock: systemClock,
  });
  const held = await lock.acquire({ waitMs: Number.POSITIVE_INFINITY });
  try {
    return await work();
  } finally {
    await held.release();
  }
}
