import { systemClock } from "../../../src/clock.ts";
import { createTokenStore } from "../../../src/store/over-backend.ts";
import { openSecret, writeKubeconfig } from "../kube/client.ts";
import { makeNamespace, makeSecret } from "../kube/namespace.ts";
import { type KubeServer, startKubeServer } from "../kube/server.ts";
import { startRelay } from "../relay.ts";
import { type FleetPlace, type FleetRole, putToken } from "./place.ts";

const namespace = "fleet";
const secret = "presto-token";

/** One Secret of a real API server, and the Lease of its name. */
export async function openKubePlace(): Promise<FleetPlace> {
  const kube = await startKubeServer();
  await makeNamespace(kube, namespace);
  await makeSecret(kube, namespace, secret);
  const relay = await startRelay([Number(kube.port)]);
  const kubeconfigs: Readonly<Record<FleetRole, string>> = {
    proxy: await asAccount(kube, relay.port, "proxy", [
      { apiGroups: [""], resources: ["secrets"], resourceNames: [secret], verbs: ["get", "watch"] },
    ]),
    rotator: await asAccount(kube, relay.port, "rotator", [
      { apiGroups: [""], resources: ["secrets"], resourceNames: [secret], verbs: ["get", "watch", "update"] },
      {
        apiGroups: ["coordination.k8s.io"],
        resources: ["leases"],
        resourceNames: [secret],
        verbs: ["get", "update", "create"],
      },
    ]),
  };
  const backend = await openSecret(kube.kubeconfig, { namespace, name: secret });
  const store = createTokenStore(backend, { keys: undefined, clock: systemClock });
  return {
    kind: "kubernetes",
    relay,
    env: (role) => ({
      PRESTO_STORE: `kubernetes:${namespace}/${secret}`,
      KUBECONFIG: kubeconfigs[role],
      POD_NAMESPACE: namespace,
    }),
    record: async () => (await store.read())?.record,
    put: (token) => putToken(store, token),
    requests: async () => countRequests(await kube.metrics()),
    outages: [
      {
        name: "the API server is killed, and started",
        begin: async () => kube.stopApi(),
        end: async () => kube.startApi(),
      },
    ],
    async close() {
      store.close();
      await relay.close();
      await kube.close();
    },
  };
}

/** A service account with these rights and no other. @returns a kubeconfig of it */
async function asAccount(
  kube: KubeServer,
  port: number,
  name: string,
  rules: readonly object[],
): Promise<string> {
  const metadata = { name, namespace };
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const made = [
    await kube.admin("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata }),
    await kube.admin("POST", `${rbac}/roles`, { metadata, rules }),
    await kube.admin("POST", `${rbac}/rolebindings`, {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    }),
  ];
  for (const { status, json } of made) if (status !== 201) throw new Error(JSON.stringify(json));
  return writeKubeconfig(kube, { name, user: { token: await kube.tokenFor(namespace, name) }, port });
}

/** Those about Secrets, watches that are open included; the administrator's own are so few that they do not matter. */
function countRequests(metrics: string): number {
  const lines =
    metrics.match(
      /^apiserver_(?:request_total|longrunning_requests)\{[^}]*resource="secrets"[^}]*\} \S+$/gm,
    ) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
