import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll } from "vitest";

import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { describeBackend } from "./backend.ts";
import { createSecretPlaces } from "./secret-places.ts";

let api: StandInApi;
let folder: string;
beforeAll(async () => {
  api = await startStandInApi();
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  await writeFile(join(folder, "config"), api.kubeconfig());
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true });
});

for (const there of [false, true]) {
  describeBackend(
    there ? "kubernetes, in a Secret that is there" : "kubernetes, in a Secret that it makes",
    createSecretPlaces(() => ({
      namespace: "contract",
      kubeconfig: join(folder, "config"),
      prepare: async (name) => (there ? api.put(name, { other: "kept" }) : undefined),
      spoil: async (name, bytes) => api.put(name, { record: bytes.toString("base64") }),
      remove: async (name) => (api.secret(name) === undefined ? undefined : api.remove(name)),
    })),
    { watch: true, lock: false, identity: true },
  );
}
