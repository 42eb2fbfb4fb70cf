import { afterAll, beforeAll } from "vitest";

import { describeBackend } from "../contract/backend.ts";
import { createSecretPlaces } from "../contract/secret-places.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

const namespace = "contract";
let kube: KubeServer;
beforeAll(async () => {
  kube = await startKubeServer();
  await makeNamespace(kube, namespace);
});
afterAll(() => kube.close());

for (const there of [false, true]) {
  describeBackend(
    there ? "kubernetes, in a Secret that is there" : "kubernetes, in a Secret that it makes",
    createSecretPlaces(() => ({
      namespace,
      kubeconfig: kube.kubeconfig,
      prepare: async (name) => (there ? makeSecret(kube, namespace, name) : undefined),
      async spoil(name, bytes) {
        const data = { record: bytes.toString("base64") };
        const { status } = await kube.admin("PATCH", pathOf(name), { data });
        if (status === 404) await makeSecret(kube, namespace, name, { data });
      },
      remove: async (name) => void (await kube.admin("DELETE", pathOf(name))),
    })),
    { watch: true, lock: false, identity: true },
  );
}

function pathOf(name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`;
}
