import { gunzipSync } from "node:zlib";

import { isObject, type JsonObject } from "../../lib/json.ts";
import { maxObjectBytes } from "../contract.ts";
import type { NamespacedName } from "./names.ts";

// What neighbours in a cluster do with Secrets by themselves, and must not with ours.

/** Has them leave alone a Secret that this program makes: put into no backup, restarting no readers, not pruned. */
export const ignoredBy = {
  // https://velero.io/docs/main/resource-filtering/
  labels: { "velero.io/exclude-from-backup": "true" },
  annotations: {
    // https://docs.stakater.com/reloader/1.4/reference/annotations.html
    "reloader.stakater.com/ignore": "true",
    // https://argo-cd.readthedocs.io/en/stable/user-guide/compare-options/ and sync-options/
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false",
  },
} as const;

/** Sentences. */
export interface NeighbourRemark {
  readonly detail: string;
  readonly mend: string;
}

/** Labels and annotations, by their names: some programs have their mark as the one, some as the other, and some have moved it. */
type Marks = ReadonlyMap<string, string>;

interface Neighbour {
  readonly mark: string;
  /** Goes on from "The Secret". */
  readonly does: string;
  readonly mend: string;
  /** Not always: by the mark's value, or by what stands beside it. */
  readonly when?: (value: string, marks: Marks, secret: string) => boolean;
}

const isTrue = (value: string): boolean => value.toLowerCase() === "true";
const copied = "Take its mark away, and the copies: whoever reads one has the token.";
const written = "Name a Secret that nothing else writes: a token that is put back is dead.";
const applied = (by: string): string => `Take it out of what ${by} applies, and make it by: kubectl create`;

/** Flux leaves what it once made alone if it is told to: https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources */
function isAppliedByFlux(_value: string, marks: Marks): boolean {
  const ssa = marks.get("kustomize.toolkit.fluxcd.io/ssa")?.toLowerCase() ?? "";
  const reconcile = marks.get("kustomize.toolkit.fluxcd.io/reconcile")?.toLowerCase() ?? "";
  return reconcile !== "disabled" && !["ifnotpresent", "ignore"].includes(ssa);
}

const neighbours: readonly Neighbour[] = [
  {
    // Of those that name it in no annotation of theirs, only workloads that ask for marked ones are restarted.
    mark: "reloader.stakater.com/match",
    does: "has Pods restarted by Reloader whenever it changes, twice in each renewal",
    mend: "Take that annotation away.",
    when: (value, marks) => isTrue(value) && !isTrue(marks.get("reloader.stakater.com/ignore") ?? ""),
  },
  // https://github.com/emberstack/kubernetes-reflector
  {
    mark: "reflector.v1.k8s.emberstack.com/reflection-allowed",
    does: "may be copied into other namespaces by Reflector",
    mend: copied,
    when: isTrue,
  },
  {
    mark: "reflector.v1.k8s.emberstack.com/reflects",
    does: "is written anew by Reflector, as a copy of another",
    mend: written,
  },
  // https://github.com/mittwald/kubernetes-replicator
  ...["replicate-to", "replicate-to-matching"].map((name) => ({
    mark: `replicator.v1.mittwald.de/${name}`,
    does: "is copied into other namespaces by kubernetes-replicator",
    mend: copied,
  })),
  {
    mark: "replicator.v1.mittwald.de/replication-allowed",
    does: "may be copied into other namespaces by kubernetes-replicator",
    mend: copied,
    when: isTrue,
  },
  {
    mark: "replicator.v1.mittwald.de/replicate-from",
    does: "is written anew by kubernetes-replicator",
    mend: written,
  },
  // https://github.com/config-syncer/config-syncer; an empty value means all namespaces.
  {
    mark: "kubed.appscode.com/sync",
    does: "is copied into other namespaces by Config Syncer (kubed)",
    mend: copied,
  },
  {
    mark: "kubed.appscode.com/origin",
    does: "is written anew by Config Syncer (kubed), as a copy of another",
    mend: written,
  },
  // https://kyverno.io/docs/policy-types/cluster-policy/generate/
  {
    mark: "generate.kyverno.io/policy-name",
    does: "is made by a policy of Kyverno, which may write it anew",
    mend: written,
  },
  {
    mark: "generate.kyverno.io/clone-source",
    does: "is copied by a policy of Kyverno",
    mend: "Take it out of that policy, and the copies away: whoever reads one has the token.",
    when: (_value, marks) => !marks.has("generate.kyverno.io/policy-name"),
  },
  // By label, also where it merges into a Secret that it does not own: https://external-secrets.io/latest/guides/ownership-deletion-policy/
  {
    mark: "reconcile.external-secrets.io/managed",
    does: "is written anew by External Secrets",
    mend: written,
    when: isTrue,
  },
  // https://github.com/bitnami-labs/sealed-secrets: it takes over one that is marked so.
  {
    mark: "sealedsecrets.bitnami.com/managed",
    does: "is written anew by Sealed Secrets",
    mend: written,
    when: isTrue,
  },
  {
    mark: "secrets.hashicorp.com/vso-ownerRefUID",
    does: "is written anew by the Vault Secrets Operator",
    mend: written,
  },
  {
    mark: "kustomize.toolkit.fluxcd.io/name",
    does: "is written anew by Flux",
    mend: applied("Flux"),
    when: isAppliedByFlux,
  },
  {
    mark: "helm.toolkit.fluxcd.io/name",
    does: "is written anew by Flux",
    mend: applied("Flux"),
  },
  {
    // Copied along by operators; it counts only on the object that it names: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
    mark: "argocd.argoproj.io/tracking-id",
    does: "is written anew by Argo CD",
    mend: applied("Argo CD"),
    when: (value, _marks, secret) => value.endsWith(`:/Secret:${secret}`),
  },
  {
    mark: "argocd.argoproj.io/instance",
    does: "is written anew by Argo CD",
    mend: applied("Argo CD"),
  },
  {
    mark: "kapp.k14s.io/app",
    does: "is written anew by kapp",
    mend: applied("kapp"),
  },
  {
    mark: "objectset.rio.cattle.io/id",
    does: "is written anew by Rancher Fleet or k3s",
    mend: applied("that"),
  },
  {
    mark: "meta.helm.sh/release-name",
    does: "belongs to a release of Helm, which takes it away when that is uninstalled",
    mend: "Take it out of that chart, or keep it there by the annotation helm.sh/resource-policy: keep",
    when: (_value, marks) => marks.get("helm.sh/resource-policy") !== "keep",
  },
];

/** What others do with a Secret, as far as it bears their marks. */
export function neighboursOf(
  { metadata }: JsonObject,
  { namespace, name }: NamespacedName,
): readonly NeighbourRemark[] {
  if (!isObject(metadata)) return [];
  const secret = `${namespace}/${name}`;
  const annotations = textsOf(metadata["annotations"]);
  const marks: Marks = new Map([...textsOf(metadata["labels"]), ...annotations]);
  const found: NeighbourRemark[] = neighbours.flatMap(({ mark, does, mend, when }) => {
    const value = marks.get(mark);
    if (value === undefined || when?.(value, marks, secret) === false) return [];
    return [{ detail: `The Secret ${secret} ${does} (${mark}).`, mend }];
  });
  const owner = ownerOf(metadata);
  if (owner !== undefined) {
    found.push({
      detail: `The Secret ${secret} belongs to ${owner}, which may write it anew or take it with it.`,
      mend: "Name a Secret that nothing else makes or owns.",
    });
  }
  const keeping = [...annotations].filter(([, text]) => holdsData(text)).map(([key]) => key);
  if (keeping.length > 0) {
    found.push({
      detail: `The Secret ${secret} keeps in an annotation, in clear and for good, what was once applied to it.`,
      mend: `Have nothing apply it any more, revoke what was in it (token renew), and take the annotation away: kubectl annotate secret ${name} -n ${namespace} ${keeping.map((key) => `${key}-`).join(" ")}`,
    });
  }
  return found;
}

function textsOf(value: unknown): [name: string, text: string][] {
  return Object.entries(isObject(value) ? value : {}).flatMap(([name, text]) =>
    typeof text === "string" ? [[name, text]] : [],
  );
}

/**
 * Does an annotation hold data of a Secret, as `kubectl apply` (kubectl.kubernetes.io/last-applied-configuration),
 * kapp (kapp.k14s.io/original) and Rancher (objectset.rio.cattle.io/applied) keep what they have applied? Who may read
 * Secrets' metadata alone can read it, and sealing does not reach it.
 */
function holdsData(text: string): boolean {
  return /"(data|stringData)":\{"/.test(text.startsWith("H4sI") ? unpacked(text) : text);
}

/** Of the third, which compresses what is long. */
function unpacked(text: string): string {
  try {
    const packed = Buffer.from(text, "base64");
    return gunzipSync(packed, { maxOutputLength: maxObjectBytes }).toString("utf8");
  } catch {
    return "";
  }
}

const shownName = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** A name that came from the API server and may be shown: undefined for any other text. */
export function shown(value: unknown): string | undefined {
  return typeof value === "string" && shownName.test(value) ? value : undefined;
}

function ownerOf({ ownerReferences }: JsonObject): string | undefined {
  const owners: readonly unknown[] = Array.isArray(ownerReferences) ? ownerReferences : [];
  const owner = owners.find(isObject);
  if (owner === undefined) return undefined;
  const named = [shown(owner["kind"]), shown(owner["name"])].filter((part) => part !== undefined);
  return named.length === 2 ? named.join(" ") : "something else";
}

/** Who wrote a key last, and when, by the API server's own books: https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
export function writerOf(
  { metadata }: JsonObject,
  key: string,
): { readonly manager: string; readonly time: string } | undefined {
  const entries = isObject(metadata) ? metadata["managedFields"] : undefined;
  let last: { readonly manager: string; readonly time: string } | undefined;
  for (const entry of Array.isArray(entries) ? entries : []) {
    if (!isObject(entry)) continue;
    const { manager, time, fieldsV1 } = entry;
    const data = isObject(fieldsV1) ? fieldsV1["f:data"] : undefined;
    const isOfKey = isObject(data) && Object.hasOwn(data, `f:${key}`);
    if (!isOfKey || typeof manager !== "string" || typeof time !== "string") continue;
    // They do not stand in the order of time.
    if (last === undefined || time >= last.time) last = { manager, time };
  }
  return last;
}
