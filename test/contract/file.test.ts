import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { createFileBackend } from "../../src/store/file/file.ts";
import { describeBackend } from "./backend.ts";

describeBackend(
  "file:",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "file-backend-"));
    const path = join(folder, "object");
    return {
      view: (holds) => createFileBackend({ path, holds, clock: systemClock }),
      spoil: (bytes) => writeFile(path, bytes, { mode: 0o600 }),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  { watch: true, lock: true, identity: false },
);
