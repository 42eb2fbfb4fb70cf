import { hasKubeTools, type KubeObject, renderChart } from "../../support/render-chart.ts";
import { until } from "../../support/until.ts";
import { makeNamespace } from "./namespace.ts";
import { type AdminAnswer, type KubeServer, startKubeServer } from "./server.ts";

const policies = "/apis/admissionregistration.k8s.io/v1";
const collections: Readonly<Record<string, string>> = {
  MutatingAdmissionPolicy: `${policies}/mutatingadmissionpolicies`,
  MutatingAdmissionPolicyBinding: `${policies}/mutatingadmissionpolicybindings`,
  ValidatingAdmissionPolicy: `${policies}/validatingadmissionpolicies`,
  ValidatingAdmissionPolicyBinding: `${policies}/validatingadmissionpolicybindings`,
};

/** A Presto, one live token in a Secret of the namespace `payments`, and a sealing key: what a fleet has. */
export const fleetValues = {
  url: "https://presto.example",
  image: { repository: "registry.example/presto-sidecar", tag: "1.2.3" },
  store: {
    kind: "kubernetes",
    kubernetes: { namespace: "payments", secretName: "presto-token" },
    sealingKey: { secretName: "presto-key" },
  },
  app: { enabled: false },
  injection: { enabled: true },
};

/** The policies of a release with these values, each release by a name of its own. */
export function renderPolicies(name: string, values: object): readonly KubeObject[] {
  return renderChart({ fullnameOverride: name, ...values }).filter(({ kind }) => kind in collections);
}

/** Has the API server know them, each field of theirs, and waits until each is in effect in a namespace of theirs. */
export async function applyPolicies(
  kube: KubeServer,
  objects: readonly KubeObject[],
  namespace: string,
): Promise<void> {
  for (const object of objects) {
    const path = `${collections[object.kind]}?fieldValidation=Strict`;
    const { status, json } = await kube.admin("POST", path, object);
    if (status !== 201) throw new Error(`${object.metadata.name}: ${status} ${JSON.stringify(json)}`);
  }
  const unknown = newPod((pod) => {
    pod.metadata.annotations["presto-sidecar/unknown"] = "";
  });
  const short = newPod((pod) => {
    pod.spec.terminationGracePeriodSeconds = 1;
  });
  await until(
    async () => {
      const refused = await tryPod(kube, namespace, unknown);
      const warned = await tryPod(kube, namespace, short);
      const isInjected = isWith(warned.json);
      return refused.status === 422 && warned.warnings.length > 0 && isInjected ? true : undefined;
    },
    { withinMs: 60_000, everyMs: 100, what: `the policies are in effect in ${namespace}` },
  );
}

/** A new API server, with the policies of a release with these values, and the namespace `payments` that takes part in it. */
export async function startInjecting(values: object = fleetValues): Promise<KubeServer> {
  const kube = await startKubeServer();
  await makeLabelled(kube, "payments");
  await applyPolicies(kube, renderPolicies("fleet", values), "payments");
  return kube;
}

/** A namespace whose pods may ask for the sidecar, and a service account in it, `wallet`. */
export async function makeLabelled(
  kube: KubeServer,
  namespace: string,
  { label = "enabled", annotations = {} }: { readonly label?: string; readonly annotations?: object } = {},
): Promise<void> {
  await makeNamespace(kube, namespace, { labels: { "presto-sidecar/inject": label }, annotations });
  await makeAccount(kube, namespace, "wallet");
}

/** A service account, whose token is mounted into the pods that do not say otherwise. */
export async function makeAccount(kube: KubeServer, namespace: string, name: string): Promise<void> {
  const { status } = await kube.admin("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    metadata: { name },
  });
  if (status !== 201) throw new Error(`the service account ${namespace}/${name}: ${status}`);
}

/** What is different about a pod. */
export type Change = (pod: KubeObject) => void;

/** An annotation of the sidecar. */
export const annotate =
  (name: string, value: string): Change =>
  (pod) => {
    pod.metadata.annotations[`presto-sidecar/${name}`] = value;
  };
/** Something of the app's container. */
export const app =
  (more: object): Change =>
  (pod) => {
    Object.assign(pod.spec.containers[0], more);
  };
/** Something of the pod. */
export const spec =
  (more: object): Change =>
  (pod) => {
    Object.assign(pod.spec, more);
  };
/** One change after the other. */
export const all =
  (...changes: readonly Change[]): Change =>
  (pod) => {
    for (const change of changes) change(pod);
  };

/** A pod that asks for the sidecar, and is fit for it unless it is changed. */
export function newPod(change: Change = () => {}): KubeObject {
  const pod: KubeObject = {
    metadata: { generateName: "wallet-", annotations: { "presto-sidecar/inject": "enabled" } },
    spec: {
      serviceAccountName: "wallet",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 60,
      containers: [{ name: "app", image: "registry.example/wallet:1" }],
    },
  };
  change(pod);
  return pod;
}

/** Makes it. */
export function makePod(kube: KubeServer, namespace: string, pod: KubeObject): Promise<AdminAnswer> {
  return kube.admin("POST", `/api/v1/namespaces/${namespace}/pods?fieldValidation=Strict`, pod);
}

/** What would come of it: all of admission, and nothing is stored. */
export function tryPod(kube: KubeServer, namespace: string, pod: KubeObject): Promise<AdminAnswer> {
  return kube.admin("POST", `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
}

/** Makes it, and gives it as it is stored. */
export async function storedPod(kube: KubeServer, namespace: string, pod: KubeObject): Promise<KubeObject> {
  const { status, json } = await makePod(kube, namespace, pod);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(json)}`);
  const made: KubeObject = json;
  return (await kube.admin("GET", `/api/v1/namespaces/${namespace}/pods/${made.metadata.name}`)).json;
}

/** Why it is not made. */
export async function refusalOfPod(kube: KubeServer, namespace: string, pod: KubeObject): Promise<string> {
  const { status, json } = await tryPod(kube, namespace, pod);
  return status === 201 ? "it is made" : String(Object(json).message);
}

/** Has it a container of ours? */
export function isWith(pod: unknown): boolean {
  const containers: readonly KubeObject[] = Object(Object(pod).spec).initContainers ?? [];
  return containers.some(({ name }) => name === "presto-sidecar");
}

/**
 * Helm is there, which the policies are rendered by. Throws in CI, where a test that is not run is a failure.
 */
export function canRender(): boolean {
  if (hasKubeTools) return true;
  if (process.env["CI"] !== undefined) throw new Error("Tests of injection can't run here: they need helm.");
  process.stdout.write("\nTests of injection are SKIPPED: they need helm. Run tools/ci/kube-tools.sh.\n");
  return false;
}
