import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { createSingleHostLock } from "../../src/store/file/lock.ts";
import { describeLock } from "./lock.ts";

describeLock(
  "of a file",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "lock-"));
    const options = { path: join(folder, "record.lock"), what: "the record", clock: systemClock };
    return {
      start: async () => ({ lock: createSingleHostLock(options), clock: systemClock }),
      pass: (ms) => systemClock.sleep(ms),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  {
    termMs: undefined,
    isKept: true,
    handOverMs: 10_000,
    holder: /^Process \d+ on \S+ \(since .*\) holds the lock/,
  },
);
