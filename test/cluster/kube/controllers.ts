import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import { isObject } from "../../../src/lib/json.ts";
import type { KubeServer } from "./server.ts";

/**
 * In the place of the controllers and kubelets that this cluster lacks: has a ReplicaSet for each Deployment and says
 * of both that all of it is there, and of each pod of `helm test` what is asked for, so that whoever waits goes on.
 */
export interface StandIn {
  /** Namespaces whose Deployments do not get ready. */
  readonly heldBack: Set<string>;
  /** What becomes of the pods of `helm test`. */
  phaseOfTests: "Succeeded" | "Failed";
  end(): Promise<void>;
}

export function standInForControllers(kube: KubeServer): StandIn {
  let goesOn = true;
  const standIn: StandIn = {
    heldBack: new Set(),
    phaseOfTests: "Succeeded",
    async end() {
      goesOn = false;
      await ended;
    },
  };
  const ended = (async () => {
    while (goesOn) {
      for (const deployment of await itemsOf(kube, "/apis/apps/v1/deployments"))
        if (!standIn.heldBack.has(deployment.metadata.namespace)) await makeReady(kube, deployment);
      for (const pod of await itemsOf(kube, "/api/v1/pods?labelSelector=app.kubernetes.io/component=test"))
        await endPod(kube, pod, standIn.phaseOfTests);
      await setTimeout(100);
    }
  })();
  return standIn;
}

interface Listed {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly generation?: number;
  };
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly metadata: { readonly labels: Record<string, string> } };
  };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly phase?: string;
  };
}

async function itemsOf(kube: KubeServer, path: string): Promise<Listed[]> {
  const { json } = await kube.admin("GET", path);
  return isObject(json) && Array.isArray(json["items"]) ? json["items"] : [];
}

async function makeReady(kube: KubeServer, deployment: Listed): Promise<void> {
  const { metadata, spec, status } = deployment;
  const { name, namespace, generation } = metadata;
  const { replicas = 1 } = spec;
  if (status.observedGeneration === generation && (status.replicas ?? 0) === replicas) return;
  const there = { replicas, readyReplicas: replicas, availableReplicas: replicas };
  await makeReplicaSet(kube, deployment, there);
  const conditions = ["Available", "Progressing"].map((type) => ({
    type,
    status: "True",
    reason: type === "Progressing" ? "NewReplicaSetAvailable" : "MinimumReplicasAvailable",
    message: "",
  }));
  await kube.admin("PATCH", `/apis/apps/v1/namespaces/${namespace}/deployments/${name}/status`, {
    status: { observedGeneration: generation, updatedReplicas: replicas, ...there, conditions },
  });
}

/** The one of this template, which Helm 3 looks for: by its owner, and by the template but for the hash. */
async function makeReplicaSet(kube: KubeServer, { metadata, spec }: Listed, there: object): Promise<void> {
  const { name, namespace, uid } = metadata;
  const { template, replicas } = spec;
  const hash = createHash("sha256").update(uid).update(JSON.stringify(template)).digest("hex").slice(0, 10);
  const labels = { ...template.metadata.labels, "pod-template-hash": hash };
  const sets = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
  // Answered with 409 where it stands already.
  await kube.admin("POST", sets, {
    metadata: {
      name: `${name}-${hash}`,
      labels,
      ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name, uid, controller: true }],
    },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  });
  await kube.admin("PATCH", `${sets}/${name}-${hash}/status`, {
    status: { observedGeneration: 1, ...there },
  });
}

async function endPod(kube: KubeServer, { metadata, status }: Listed, phase: string): Promise<void> {
  if (status.phase !== "Pending") return;
  await kube.admin("PATCH", `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, {
    status: { phase },
  });
}
