import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { parseAllDocuments } from "yaml";

import { environmentOf, type KubeObject, sidecarOfPod } from "../../support/render-chart.ts";
import type { AdminAnswer, KubeServer } from "./server.ts";

/** Whose Pod: the app's, with the sidecar in it that follows the token, or the rotators'. */
export type Member = "wallet" | "presto-rotator";

/** A right that a Role gives, on one object. */
export interface GivenRight {
  readonly role: "presto-proxy" | "presto-rotator";
  readonly verb: string;
  readonly resource: "secrets" | "leases";
  readonly name: string;
}

/** What docs/examples/fleet*.yaml come to on a real API server: each object as it stands there, no field of it unknown. */
export interface AppliedFleet {
  readonly namespace: string;
  /** A Pod of that Deployment, as the API server took it. */
  pod(member: Member): KubeObject;
  /** The environment that kubelet would give its sidecar. */
  environment(member: Member): Record<string, string>;
  /** A kubeconfig with the token of that Pod's service account, bound to the Pod as a projected volume's is. */
  kubeconfig(member: Member): Promise<string>;
  /** What that Pod's service account is answered. */
  ask(member: Member, method: AsMethod, path: string, body?: object): Promise<AdminAnswer>;
  /** All that the Roles give. */
  rights(): readonly GivenRight[];
  /** Gives the Roles as they are in the file, but for this one right. */
  giveAllBut(right: GivenRight | undefined): Promise<void>;
}

type AsMethod = "GET" | "PUT" | "POST" | "DELETE";

const namespace = "payments";
const core = `/api/v1/namespaces/${namespace}`;
const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
const collections: Readonly<Record<string, string>> = {
  Secret: `${core}/secrets`,
  ServiceAccount: `${core}/serviceaccounts`,
  Role: `${rbac}/roles`,
  RoleBinding: `${rbac}/rolebindings`,
  PodDisruptionBudget: `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
  Deployment: `/apis/apps/v1/namespaces/${namespace}/deployments`,
};

/** Makes the namespace, where only what is fit for the restricted Pod Security Standard runs, and all that the files hold. */
export async function applyFleet(kube: KubeServer): Promise<AppliedFleet> {
  await made(kube, "/api/v1/namespaces", {
    metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  const objects = [...(await readManifest("fleet-secrets.yaml")), ...(await readManifest("fleet.yaml"))];
  for (const object of objects) {
    const collection = collections[object.kind];
    if (collection === undefined) throw new Error(`no path for ${object.kind}`);
    await made(kube, collection, object);
  }
  const find = (kind: string, name: string): KubeObject =>
    objects.find((object) => object.kind === kind && object.metadata.name === name);

  const pods = new Map<Member, KubeObject>();
  for (const member of ["wallet", "presto-rotator"] as const) {
    const { metadata, spec } = find("Deployment", member).spec.template;
    const name = `${member}-0`;
    pods.set(member, await made(kube, `${core}/pods`, { metadata: { ...metadata, name }, spec }));
  }

  async function tokenOf(member: Member): Promise<string> {
    const { metadata } = pods.get(member);
    const answer = await made(kube, `${core}/serviceaccounts/${member}/token`, {
      spec: {
        expirationSeconds: 3600,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name: metadata.name, uid: metadata.uid },
      },
    });
    return String(answer.status.token);
  }

  const rights = objects
    .filter(({ kind }) => kind === "Role")
    .flatMap(({ metadata, rules }): GivenRight[] =>
      rules.flatMap(({ verbs, resources: [resource], resourceNames }: KubeObject) =>
        resourceNames.flatMap((name: string) =>
          verbs.map((verb: string): GivenRight => ({ role: metadata.name, verb, resource, name })),
        ),
      ),
    );

  return {
    namespace,
    pod: (member) => pods.get(member),
    environment: (member) => environmentIn(pods.get(member)),
    async kubeconfig(member) {
      const folder = join(kube.folder, member);
      await mkdir(folder, { recursive: true });
      // As kubelet mounts them.
      await writeFile(join(folder, "token"), await tokenOf(member));
      await writeFile(join(folder, "ca.crt"), kube.ca);
      const path = join(folder, "kubeconfig");
      await writeFile(
        path,
        JSON.stringify({
          "current-context": "c",
          contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
          clusters: [{ name: "c", cluster: { server: kube.url, "certificate-authority": "ca.crt" } }],
          users: [{ name: "u", user: { tokenFile: "token" } }],
        }),
      );
      return path;
    },
    ask: async (member, method, path, body) => kube.as(await tokenOf(member), method, path, body),
    rights: () => rights,
    async giveAllBut(right) {
      for (const role of new Set(rights.map((given) => given.role))) {
        const rules = rights
          .filter((given) => given.role === role && given !== right)
          .map(({ verb, resource, name }) => ({
            apiGroups: [resource === "leases" ? "coordination.k8s.io" : ""],
            resources: [resource],
            resourceNames: [name],
            verbs: [verb],
          }));
        const { status } = await kube.admin("PUT", `${rbac}/roles/${role}`, {
          metadata: { name: role, namespace },
          rules,
        });
        if (status !== 200) throw new Error(`the Role ${role}: ${status}`);
      }
    },
  };
}

function environmentIn({ metadata, spec }: KubeObject): Record<string, string> {
  return environmentOf(sidecarOfPod(spec), "127.0.0.1", metadata.name, metadata.namespace);
}

async function readManifest(file: string): Promise<KubeObject[]> {
  const path = fileURLToPath(new URL(`../../../docs/examples/${file}`, import.meta.url));
  return parseAllDocuments(await readFile(path, "utf8"), { strict: true, version: "1.1" })
    .filter((document) => document.contents !== null)
    .map((document): KubeObject => document.toJS());
}

/** A field that Kubernetes does not know is refused. */
async function made(kube: KubeServer, path: string, body: object): Promise<KubeObject> {
  const { status, json } = await kube.admin("POST", `${path}?fieldValidation=Strict`, body);
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
  return json;
}
