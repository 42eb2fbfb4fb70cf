import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { isObject } from "../../../src/lib/json.ts";
import type { KubeServer } from "./server.ts";

const script = fileURLToPath(new URL("../../../tools/ci/kube-tools.sh", import.meta.url));

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface KubeTools {
  helm(args: readonly string[], stdin?: string): Promise<Ended>;
  /** The version before it. */
  helm3(args: readonly string[], stdin?: string): Promise<Ended>;
  kubectl(args: readonly string[], stdin?: string): Promise<Ended>;
}

/** Helm and kubectl, fetched where they are not there yet, as the administrator of a cluster. */
export function kubeTools(kube: KubeServer): KubeTools {
  const folder = execFileSync(script, { encoding: "utf8" }).trim();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: kube.folder,
    KUBECONFIG: kube.kubeconfig,
  };
  const run = (program: string) => (args: readonly string[], stdin?: string) =>
    new Promise<Ended>((resolve) => {
      const child = execFile(
        join(folder, program),
        args,
        { env, maxBuffer: 64 * 1024 * 1024 },
        (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      );
      child.stdin?.end(stdin ?? "");
    });
  return { helm: run("helm"), helm3: run("helm3"), kubectl: run("kubectl") };
}

/**
 * In the place of the controllers and kubelets that this cluster lacks: says of each Deployment that all of it is
 * there, and of each pod of `helm test` what is asked for, so that whoever waits for them goes on.
 * @returns what ends it
 */
export function standInForControllers(
  kube: KubeServer,
  phaseOfTests: () => "Succeeded" | "Failed",
): () => Promise<void> {
  let goesOn = true;
  const ended = (async () => {
    while (goesOn) {
      for (const object of await itemsOf(kube, "/apis/apps/v1/deployments")) await makeReady(kube, object);
      for (const object of await itemsOf(kube, "/api/v1/pods?labelSelector=app.kubernetes.io/component=test"))
        await end(kube, object, phaseOfTests());
      await setTimeout(100);
    }
  })();
  return async () => {
    goesOn = false;
    await ended;
  };
}

interface Listed {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation?: number };
  readonly spec: { readonly replicas?: number };
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

async function makeReady(kube: KubeServer, { metadata, spec, status }: Listed): Promise<void> {
  const { name, namespace, generation } = metadata;
  const { replicas = 1 } = spec;
  if (status.observedGeneration === generation && (status.replicas ?? 0) === replicas) return;
  const conditions = ["Available", "Progressing"].map((type) => ({
    type,
    status: "True",
    reason: type === "Progressing" ? "NewReplicaSetAvailable" : "MinimumReplicasAvailable",
    message: "",
  }));
  await kube.admin("PATCH", `/apis/apps/v1/namespaces/${namespace}/deployments/${name}/status`, {
    status: {
      observedGeneration: generation,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      conditions,
    },
  });
}

async function end(kube: KubeServer, { metadata, status }: Listed, phase: string): Promise<void> {
  if (status.phase !== "Pending") return;
  await kube.admin("PATCH", `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, {
    status: { phase },
  });
}
