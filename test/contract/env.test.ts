import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { createEnvStore } from "../../src/store/env.ts";
import { describeTokenStore } from "./token-store.ts";

describeTokenStore(
  "env: by file",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "env-store-"));
    const path = join(folder, "token");
    const open = (): ReturnType<typeof createEnvStore> =>
      createEnvStore({ token: { kind: "file", path }, clock: systemClock });
    return {
      store: open(),
      other: open(),
      place: (token) => writeFile(path, `${token}\n`),
      spoil: (bytes) => writeFile(path, bytes),
      bytes: () => readFile(path, "latin1"),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  { write: false, watch: true },
);
