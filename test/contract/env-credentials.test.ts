import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createEnvCredentials } from "../../src/store/env.ts";
import { describeCredentialStore } from "./credential-store.ts";

describeCredentialStore(
  "env: by file",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "env-credentials-"));
    const path = join(folder, "password");
    const open = (): ReturnType<typeof createEnvCredentials> =>
      createEnvCredentials({
        email: { kind: "value", secret: new Secret("sidecar@institution.example") },
        password: { kind: "file", path },
        clock: systemClock,
      });
    return {
      store: open(),
      other: open(),
      place: (password) => writeFile(path, `${password}\n`),
      spoil: (bytes) => writeFile(path, Buffer.from(`${bytes}\xff`, "latin1")),
      bytes: () => readFile(path, "latin1"),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
  { writes: false },
);
