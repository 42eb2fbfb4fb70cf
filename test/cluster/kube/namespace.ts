import { until } from "../../support/until.ts";
import type { KubeServer } from "./server.ts";

/** A namespace with a service account that may do to one Secret, or one Lease, what is named, and nothing else. */
export interface Grant {
  readonly namespace: string;
  readonly account: string;
  readonly secret?: string;
  readonly lease?: string;
  readonly verbs: readonly ("get" | "list" | "watch" | "update" | "create")[];
}

/** Makes a namespace. @param more labels or annotations of it */
export async function makeNamespace(kube: KubeServer, namespace: string, more: object = {}): Promise<void> {
  await done(kube, "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace, ...more },
  });
}

/**
 * One where only what is fit for the restricted Pod Security Standard runs. Comes back when a controller has made the
 * service account that each has, without which no pod is taken.
 */
export async function makeRestricted(kube: KubeServer, namespace: string): Promise<void> {
  await makeNamespace(kube, namespace, { labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until(async () => ((await kube.admin("GET", account)).status === 200 ? true : undefined), {
    withinMs: 30_000,
    everyMs: 20,
    what: `the default service account of ${namespace}`,
  });
}

/** An empty Secret, as an operator makes it beforehand. */
export async function makeSecret(
  kube: KubeServer,
  namespace: string,
  name: string,
  more: object = {},
): Promise<void> {
  await done(kube, `/api/v1/namespaces/${namespace}/secrets`, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    type: "Opaque",
    ...more,
  });
}

/** Makes a service account with these rights. @returns a token of it */
export async function grant(
  kube: KubeServer,
  { namespace, account, secret, lease, verbs }: Grant,
): Promise<string> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: account, namespace };
  await done(kube, `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata,
  });
  await done(kube, `${rbac}/roles`, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata,
    rules: [
      ...(secret === undefined
        ? []
        : [{ apiGroups: [""], resources: ["secrets"], resourceNames: [secret], verbs }]),
      ...(lease === undefined
        ? []
        : [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], resourceNames: [lease], verbs }]),
    ],
  });
  await done(kube, `${rbac}/rolebindings`, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: account },
    subjects: [{ kind: "ServiceAccount", name: account, namespace }],
  });
  return kube.tokenFor(namespace, account);
}

async function done(kube: KubeServer, path: string, body: object): Promise<void> {
  const { status, json } = await kube.admin("POST", path, body);
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
}
