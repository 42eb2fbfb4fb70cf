import { gzipSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { ignoredBy, neighboursOf } from "../../../../src/store/kubernetes/neighbours.ts";

const address = { namespace: "payments", name: "token" };

function told(metadata: object): readonly string[] {
  return neighboursOf({ metadata }, address).map(({ detail, mend }) => `${detail} ${mend}`);
}

describe("what neighbours do to a Secret", () => {
  it.each<[string, object, RegExp]>([
    [
      "reloader.stakater.com/match",
      { annotations: { "reloader.stakater.com/match": "true" } },
      /has Pods restarted by Reloader/,
    ],
    [
      "a source of Reflector",
      { annotations: { "reflector.v1.k8s.emberstack.com/reflection-allowed": "True" } },
      /may be copied into other namespaces by Reflector/,
    ],
    [
      "a mirror of Reflector",
      { annotations: { "reflector.v1.k8s.emberstack.com/reflects": "other/token" } },
      /is written anew by Reflector/,
    ],
    [
      "replicate-to",
      { annotations: { "replicator.v1.mittwald.de/replicate-to": "*" } },
      /is copied into other namespaces by kubernetes-replicator/,
    ],
    [
      "replicate-to-matching",
      { annotations: { "replicator.v1.mittwald.de/replicate-to-matching": "team=money" } },
      /is copied into other namespaces by kubernetes-replicator/,
    ],
    [
      "replication-allowed",
      { annotations: { "replicator.v1.mittwald.de/replication-allowed": "true" } },
      /may be copied into other namespaces by kubernetes-replicator/,
    ],
    [
      "replicate-from",
      { annotations: { "replicator.v1.mittwald.de/replicate-from": "other/token" } },
      /is written anew by kubernetes-replicator/,
    ],
    [
      "a source of kubed, for all namespaces",
      { annotations: { "kubed.appscode.com/sync": "" } },
      /is copied into other namespaces by Config Syncer/,
    ],
    [
      "a copy of kubed's",
      { annotations: { "kubed.appscode.com/origin": "{}" } },
      /is written anew by Config Syncer/,
    ],
    [
      "what Kyverno has made",
      {
        labels: { "generate.kyverno.io/policy-name": "sync", "generate.kyverno.io/clone-source": "" },
      },
      /is made by a policy of Kyverno/,
    ],
    [
      "what Kyverno copies",
      { labels: { "generate.kyverno.io/clone-source": "" } },
      /is copied by a policy of Kyverno/,
    ],
    [
      "External Secrets, where it merges and owns nothing",
      { labels: { "reconcile.external-secrets.io/managed": "true" } },
      /is written anew by External Secrets/,
    ],
    [
      "Sealed Secrets",
      { annotations: { "sealedsecrets.bitnami.com/managed": "true" } },
      /is written anew by Sealed Secrets/,
    ],
    [
      "the Vault Secrets Operator",
      { labels: { "secrets.hashicorp.com/vso-ownerRefUID": "1" } },
      /is written anew by the Vault Secrets Operator/,
    ],
    ["Flux", { labels: { "kustomize.toolkit.fluxcd.io/name": "apps" } }, /is written anew by Flux/],
    ["Flux's Helm", { labels: { "helm.toolkit.fluxcd.io/name": "apps" } }, /is written anew by Flux/],
    [
      "Argo CD, by annotation",
      { annotations: { "argocd.argoproj.io/tracking-id": "wallet:/Secret:payments/token" } },
      /is written anew by Argo CD/,
    ],
    [
      "Argo CD, by label",
      { labels: { "argocd.argoproj.io/instance": "wallet" } },
      /is written anew by Argo CD/,
    ],
    ["kapp", { labels: { "kapp.k14s.io/app": "1" } }, /is written anew by kapp/],
    [
      "Rancher Fleet",
      { annotations: { "objectset.rio.cattle.io/id": "default-x" } },
      /is written anew by Rancher Fleet/,
    ],
    [
      "Helm",
      { annotations: { "meta.helm.sh/release-name": "wallet" } },
      /belongs to a release of Helm.*helm\.sh\/resource-policy: keep/,
    ],
    [
      "an owner",
      { ownerReferences: [{ kind: "ExternalSecret", name: "presto" }] },
      /belongs to ExternalSecret presto, /,
    ],
    [
      "an owner whose name is not shown",
      { ownerReferences: [{ kind: "Kind", name: "MARKED\n" }] },
      /belongs to something else, /,
    ],
  ])("%s: told, with what to do", (_what, metadata, says) => {
    expect(told(metadata)).toEqual([expect.stringMatching(says)]);
    expect(told(metadata).join("")).not.toContain("MARKED");
    expect(told(metadata)[0]).toContain("The Secret payments/token ");
  });

  it.each<[string, object]>([
    ["those that this program makes", ignoredBy],
    [
      "one that Reloader is told to ignore, whatever else is said",
      { annotations: { "reloader.stakater.com/match": "true", "reloader.stakater.com/ignore": "true" } },
    ],
    [
      "a mirror that is turned off",
      { annotations: { "reflector.v1.k8s.emberstack.com/reflection-allowed": "false" } },
    ],
    [
      "what Flux made once and leaves alone",
      {
        labels: { "kustomize.toolkit.fluxcd.io/name": "apps" },
        annotations: { "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent" },
      },
    ],
    [
      "what Flux is told to leave alone",
      {
        labels: { "kustomize.toolkit.fluxcd.io/name": "apps" },
        annotations: { "kustomize.toolkit.fluxcd.io/reconcile": "disabled" },
      },
    ],
    [
      "a mark of Argo CD's that was copied from another object",
      { annotations: { "argocd.argoproj.io/tracking-id": "wallet:batch/Job:payments/token" } },
    ],
    [
      "what Helm keeps",
      { annotations: { "meta.helm.sh/release-name": "wallet", "helm.sh/resource-policy": "keep" } },
    ],
    // Charts of all kinds set it: it says nothing of who writes.
    ["the common label of an instance", { labels: { "app.kubernetes.io/instance": "wallet" } }],
    [
      "marks that are no texts",
      { labels: { "kapp.k14s.io/app": 1 }, annotations: null, ownerReferences: {} },
    ],
  ])("%s: nothing to tell", (_what, metadata) => {
    expect(told(metadata)).toEqual([]);
  });
});

describe("what annotations keep in clear", () => {
  const applied = JSON.stringify({ kind: "Secret", data: { token: "TUFSS0VE" } });

  it.each([
    ["kubectl apply", "kubectl.kubernetes.io/last-applied-configuration", applied],
    [
      "kubectl apply, of stringData",
      "kubectl.kubernetes.io/last-applied-configuration",
      JSON.stringify({ kind: "Secret", stringData: { token: "MARKED" } }),
    ],
    ["kapp", "kapp.k14s.io/original", applied],
    ["Rancher", "objectset.rio.cattle.io/applied", applied],
    ["Rancher, compressed", "objectset.rio.cattle.io/applied", gzipSync(applied).toString("base64")],
    ["some other program", "example.com/copy", applied],
  ])("%s: told, with the line that takes it away", (_by, annotation, text) => {
    const [line = ""] = told({ annotations: { note: "x", [annotation]: text } });
    expect(line).toMatch(/keeps in an annotation, in clear and for good/);
    expect(line.endsWith(`kubectl annotate secret token -n payments ${annotation}-`)).toBe(true);
    expect(line).not.toMatch(/MARKED|TUFSS0VE/);
  });

  it.each([
    ["an empty Secret", JSON.stringify({ kind: "Secret", data: {} })],
    ["one without data", JSON.stringify({ kind: "Secret", metadata: { name: "data" } })],
    ["what only looks compressed", "H4sIAAAA"],
    [
      "what would be larger than any object",
      gzipSync(Buffer.alloc(4 * 1024 * 1024, applied)).toString("base64"),
    ],
  ])("%s: nothing to tell", (_what, text) => {
    expect(told({ annotations: { "kubectl.kubernetes.io/last-applied-configuration": text } })).toEqual([]);
  });
});
