import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import { createEnvCredentials, createEnvStore } from "../../src/store/env.ts";
import { accounts, credentialView, describeStore, recordView, records } from "./store.ts";

/** A file that somebody else writes. */
async function mounted<V>(view: (source: { readonly kind: "file"; readonly path: string }) => V) {
  const folder = await mkdtemp(join(tmpdir(), "env-"));
  const path = join(folder, "secret");
  return {
    view: () => view({ kind: "file", path }),
    place: (text: string) => writeFile(path, `${text}\n`),
    spoil: (bytes: string) => writeFile(path, bytes, "latin1"),
    dispose: () => rm(folder, { recursive: true }),
  };
}

const reads = { write: false, watch: true, sealed: false };
const clock = systemClock;
const email = { kind: "value", secret: new Secret("sidecar@institution.example") } as const;

describeStore(
  "of the token, env: by file",
  () => mounted((token) => recordView(createEnvStore({ token, clock }))),
  records,
  reads,
);
describeStore(
  "of credentials, env: by file",
  () => mounted((password) => credentialView(createEnvCredentials({ email, password, clock }))),
  accounts,
  reads,
);
