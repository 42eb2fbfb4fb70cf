import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createFileCredentials } from "../support/file-stores.ts";
import { credentialsOf } from "../unit/store/accounts.ts";
import { newKey } from "../unit/store/records.ts";
import { describeCredentialStore } from "./credential-store.ts";

describeCredentialStore(
  "file:",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "file-credentials-"));
    const path = join(folder, "account");
    const keys = { kind: "value", secret: new Secret(newKey()) } as const;
    const open = (): ReturnType<typeof createFileCredentials> =>
      createFileCredentials({ path, keys, clock: systemClock });
    const operator = open();
    return {
      store: open(),
      other: open(),
      place: async (password) => {
        await operator.write(credentialsOf(password), (await operator.read())?.version);
      },
      spoil: (bytes) => writeFile(path, bytes, { mode: 0o600 }),
      bytes: () => readFile(path, "latin1"),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  { writes: true },
);
