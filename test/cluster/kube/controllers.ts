import { join } from "node:path";

import type { KubeObject } from "../../support/render-chart.ts";
import { until } from "../../support/until.ts";
import { buildControllers } from "./build.ts";
import { launch } from "./program.ts";
import type { KubeServer } from "./server.ts";

/** What makes pods of Deployments, gives them nodes, and says of them what kubelet would. */
export interface Controllers {
  end(): Promise<void>;
}

/** Those that a release of the chart needs: each more is more to start, and to watch with. */
const needed = [
  "deployment",
  "replicaset",
  "disruption",
  "garbage-collector",
  "node-lifecycle",
  "persistentvolume-binder",
  "resourcequota",
  "root-ca-certificate-publisher",
  "serviceaccount",
];

/** Two for any pod, and two of an address that Presto knows, as ci/kubernetes-values.yaml means them. */
const nodes = ["node-one", "node-two", "egress-one", "egress-two"];

/**
 * The real kube-controller-manager and kube-scheduler, and kwok in the place of kubelets: it says of a pod that it runs and
 * is ready (stages.yaml), and starts nothing. What a container of ours does then, kubelet.ts shows.
 */
export async function startControllers(kube: KubeServer): Promise<Controllers> {
  const folder = await buildControllers();
  const start = (name: string, args: readonly string[]) =>
    launch(join(folder, name), ["--kubeconfig=kubeconfig", ...args], kube.folder);
  // Nothing listens; and tests are in a hurry.
  const both = ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=500"];
  const running = [
    start("kube-controller-manager", [
      ...both,
      `--controllers=${needed.map((name) => `${name}-controller`).join()}`,
      "--root-ca-file=ca.crt",
    ]),
    start("kube-scheduler", both),
    start("kwok", ["--manage-all-nodes", `--config=${join(import.meta.dirname, "stages.yaml")}`]),
  ];
  const end = async (): Promise<void> => {
    for (const program of running) await program.stop();
  };
  try {
    for (const name of nodes) await makeNode(kube, name);
    await until(
      async () => {
        for (const program of running) if (program.hasEnded()) throw new Error(await program.said());
        const fit = (await itemsOf(kube, "/api/v1/nodes")).filter(isFit);
        return fit.length === nodes.length ? true : undefined;
      },
      { withinMs: 60_000, everyMs: 100, what: "the nodes take pods" },
    );
  } catch (error) {
    await end();
    throw error;
  }
  return { end };
}

async function makeNode(kube: KubeServer, name: string): Promise<void> {
  const isEgress = name.startsWith("egress");
  const labels = { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" };
  const { status, json } = await kube.admin("POST", "/api/v1/nodes", {
    metadata: { name, labels: { ...labels, ...(isEgress ? { "presto.example/registered": "yes" } : {}) } },
    spec: isEgress ? { taints: [{ key: "egress", effect: "NoSchedule" }] } : {},
  });
  if (status !== 201) throw new Error(`the node ${name}: ${status} ${JSON.stringify(json)}`);
}

/** Ready, and without the taints that the node-lifecycle controller gives to one that is not. */
function isFit({ spec, status }: KubeObject): boolean {
  const taints: readonly KubeObject[] = spec.taints ?? [];
  return saysReady(status) && taints.every(({ key }) => key === "egress");
}

/** Of a node's status, or a pod's. */
function saysReady({ conditions = [] }: KubeObject): boolean {
  return conditions.some(({ type, status }: KubeObject) => type === "Ready" && status === "True");
}

export async function itemsOf(kube: KubeServer, path: string): Promise<KubeObject[]> {
  const { status, json } = await kube.admin("GET", path);
  if (status !== 200) throw new Error(`${path}: ${status}`);
  return Object(json).items;
}

/** The pods of the chart's releases in a namespace, or of one component. */
export function podsIn(
  kube: KubeServer,
  namespace: string,
  component = "app,rotator",
): Promise<KubeObject[]> {
  const selector = encodeURIComponent(`app.kubernetes.io/component in (${component})`);
  return itemsOf(kube, `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`);
}

/** With this annotation a pod runs, and is not ready. */
export const unready = "test/unready";

/** Has a pod get ready, or be ready no more. */
export async function setReady(kube: KubeServer, { metadata }: KubeObject, isReady: boolean): Promise<void> {
  const { status } = await kube.admin(
    "PATCH",
    `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`,
    {
      metadata: { annotations: { [unready]: isReady ? null : "yes" } },
    },
  );
  if (status !== 200) throw new Error(`the pod ${metadata.name}: ${status}`);
}

/** Does it serve, by what is said of it? */
export function isReady({ metadata, status }: KubeObject): boolean {
  return saysReady(status) && metadata.deletionTimestamp === undefined;
}
