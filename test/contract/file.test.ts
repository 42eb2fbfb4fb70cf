import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createFileStore } from "../support/file-stores.ts";
import { newKey, recordOf } from "../unit/store/records.ts";
import { describeTokenStore } from "./token-store.ts";

describeTokenStore(
  "file:",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "file-store-"));
    const path = join(folder, "record");
    const keys = { kind: "value", secret: new Secret(newKey()) } as const;
    const open = (): ReturnType<typeof createFileStore> =>
      createFileStore({ path, keys, clock: systemClock });
    const operator = open();
    return {
      store: open(),
      other: open(),
      place: async (token) => {
        await operator.write(recordOf(token), (await operator.read())?.version);
      },
      spoil: (bytes) => writeFile(path, bytes, { mode: 0o600 }),
      bytes: () => readFile(path, "latin1"),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  { write: true, watch: true },
);
