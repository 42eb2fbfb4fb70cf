import { describe, expect, it } from "vitest";

import { examineConfig } from "../../src/config/load.ts";
import {
  environmentOf,
  hasKubeTools,
  type KubeObject,
  notesOf,
  renderChart,
  sidecarPods,
} from "../support/render-chart.ts";

const kubernetes = { store: { kind: "kubernetes" } };
const rotator = { rotator: { enabled: true } };
const vault = {
  store: { kind: "vault", vault: { address: "https://vault.example:8200", entry: "secret/presto" } },
};
const inVault = { rotator: { enabled: true, credentials: { entry: "secret/account" } } };

function ofKind(objects: KubeObject[], kind: string): KubeObject[] {
  return objects.filter((object) => object.kind === kind);
}

function configOf(objects: KubeObject[], suffix: string): Record<string, string> {
  const found = sidecarPods(objects).find(({ name }) => name.endsWith(suffix));
  const env = environmentOf(found?.sidecar, "10.1.2.3");
  expect(examineConfig(env, []).problems).toEqual([]);
  return env;
}

describe.skipIf(!hasKubeTools)("a fleet by the chart", () => {
  it("has rotators only where they are asked for: two, spread over nodes, one of which may be evicted", () => {
    expect(JSON.stringify(renderChart(kubernetes))).not.toMatch(/rotator/);
    const objects = renderChart({ ...kubernetes, ...rotator });
    const deployment = ofKind(objects, "Deployment").find(({ metadata }) => /rotator/.test(metadata.name));
    const { replicas, selector, template, strategy } = deployment.spec;
    expect([replicas, strategy.rollingUpdate.maxUnavailable]).toEqual([2, 0]);
    expect(template.spec.topologySpreadConstraints).toMatchObject([
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        labelSelector: { matchLabels: selector.matchLabels },
      },
    ]);
    const [budget] = ofKind(objects, "PodDisruptionBudget");
    expect(budget.spec).toMatchObject({
      maxUnavailable: 1,
      selector,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    });
    expect(template.spec.terminationGracePeriodSeconds).toBe(30);
  });

  it("tells the app's pods and the rotators' apart", () => {
    const [app, other] = ofKind(renderChart({ ...kubernetes, ...rotator }), "Deployment").map(
      ({ spec }) => spec.selector.matchLabels,
    );
    expect(app["app.kubernetes.io/component"]).not.toBe(other["app.kubernetes.io/component"]);
  });

  it("gives each of the two what it needs by name, and nothing else", () => {
    const objects = renderChart({
      ...kubernetes,
      rotator: { enabled: true },
      rbac: { readers: [{ name: "ledger" }] },
    });
    const rules = Object.fromEntries(
      ofKind(objects, "Role").map(({ metadata, rules: own }) => [metadata.name, own]),
    );
    expect(rules).toEqual({
      "example-presto-sidecar-proxy": [
        { apiGroups: [""], resources: ["secrets"], resourceNames: ["presto-token"], verbs: ["get", "watch"] },
      ],
      "example-presto-sidecar-rotator": [
        {
          apiGroups: [""],
          resources: ["secrets"],
          resourceNames: ["presto-token", "presto-account"],
          verbs: ["get", "watch", "update"],
        },
        {
          apiGroups: ["coordination.k8s.io"],
          resources: ["leases"],
          resourceNames: ["presto-token"],
          verbs: ["get", "update", "create"],
        },
      ],
    });
    const bound = ofKind(objects, "RoleBinding").map(({ roleRef, subjects }) => [
      roleRef.name,
      subjects.map(({ name, namespace }: KubeObject) => `${namespace}/${name}`),
    ]);
    expect(bound).toEqual([
      ["example-presto-sidecar-proxy", ["default/example-presto-sidecar", "default/ledger"]],
      ["example-presto-sidecar-rotator", ["default/example-presto-sidecar-rotator"]],
    ]);
    expect(objects.map(({ kind }) => kind)).not.toContain("ClusterRole");
  });

  it("gives no right of the cluster's where the token is not in the cluster", () => {
    for (const values of [{}, { ...vault, ...inVault }, { ...kubernetes, rbac: { create: false } }])
      expect(ofKind(renderChart(values), "Role")).toEqual([]);
    const lease = { rotator: { ...inVault.rotator, lease: "presto-token" } };
    expect(ofKind(renderChart({ ...vault, ...lease }), "Role").map(({ rules }) => rules)).toEqual([
      [
        {
          apiGroups: ["coordination.k8s.io"],
          resources: ["leases"],
          resourceNames: ["presto-token"],
          verbs: ["get", "update", "create"],
        },
      ],
    ]);
  });

  it("binds a follower in the namespace of the token, under a name that other releases do not have", () => {
    const objects = renderChart({ store: { kind: "kubernetes", kubernetes: { namespace: "payments" } } });
    expect(ofKind(objects, "Role").map(({ metadata }) => [metadata.namespace, metadata.name])).toEqual([
      ["payments", "example-presto-sidecar-default-proxy"],
    ]);
    expect(configOf(objects, "sidecar")["PRESTO_STORE"]).toBe("kubernetes:payments/presto-token");
  });

  it("makes both Secrets only where it is asked to: empty, kept, and marked so that neighbours leave them alone", () => {
    expect(ofKind(renderChart({ ...kubernetes, ...rotator }), "Secret")).toEqual([]);
    const made = renderChart({ ...kubernetes, rotator: { enabled: true, createSecrets: true } });
    const secrets = ofKind(made, "Secret");
    expect(secrets.map(({ metadata }) => metadata.name)).toEqual(["presto-token", "presto-account"]);
    for (const secret of secrets) {
      expect(Object.keys(secret).toSorted()).toEqual(["apiVersion", "kind", "metadata", "type"]);
      expect(secret.metadata.annotations).toMatchObject({
        "helm.sh/resource-policy": "keep",
        "reloader.stakater.com/ignore": "true",
      });
    }
  });

  it("goes to a Vault by the service account, each of the two by a role of its own", () => {
    const objects = renderChart({
      store: {
        kind: "vault",
        vault: {
          ...vault.store.vault,
          namespace: "bank",
          caConfigMapName: "vault-ca",
          auth: { audience: "vault" },
        },
      },
      ...inVault,
    });
    expect(configOf(objects, "sidecar")).toMatchObject({
      PRESTO_STORE: "vault:secret/presto",
      VAULT_ADDR: "https://vault.example:8200",
      VAULT_NAMESPACE: "bank",
      VAULT_CACERT: "/var/run/presto-sidecar/vault-ca/ca.crt",
      PRESTO_VAULT_AUTH: "kubernetes",
      PRESTO_VAULT_ROLE: "presto-proxy",
    });
    expect(configOf(objects, "rotator")).toMatchObject({
      PRESTO_ROLE: "rotator",
      PRESTO_CREDENTIALS: "vault:secret/account",
      PRESTO_VAULT_ROLE: "presto-rotator",
    });
    for (const { pod } of sidecarPods(objects)) {
      const { projected } = pod.volumes.find(({ name }: KubeObject) => name === "presto-sidecar-api");
      expect(projected.sources[0].serviceAccountToken).toMatchObject({ path: "token", audience: "vault" });
    }
  });

  it("goes to a Vault by an AppRole: each of the two by its own, and neither by the service account", () => {
    const objects = renderChart("approle-values.yaml");
    const login = {
      PRESTO_VAULT_AUTH: "approle",
      PRESTO_VAULT_SECRET_ID_FILE: "/var/run/presto-sidecar/vault-secret-id/secret-id",
    };
    const [app, other] = [configOf(objects, "sidecar"), configOf(objects, "rotator")];
    expect(app).toMatchObject({
      ...login,
      PRESTO_VAULT_ROLE_ID: "7f0c2c52-0f3e-4a51-9b0e-2f3c9a2b1d10",
    });
    expect(other).toMatchObject({
      ...login,
      PRESTO_VAULT_ROLE_ID: "1b1f7a3e-6c9d-4a86-8f57-6f4a0f9f2c31",
    });
    for (const env of [app, other]) expect(env).not.toHaveProperty("PRESTO_VAULT_ROLE");
    const volumes = sidecarPods(objects).map(({ pod }) => pod.volumes.slice(1));
    expect(volumes).toEqual(
      [
        ["vault-wallet", "secret-id"],
        ["vault-rotator", "id"],
      ].map(([secretName, key]) => [
        {
          name: "presto-sidecar-vault-secret-id",
          secret: { secretName, defaultMode: 0o444, items: [{ key, path: "secret-id" }] },
        },
      ]),
    );
  });

  it("shows the service account's token to the API server alone, where rotators with an AppRole take a Lease", () => {
    const auth = { method: "approle", roleId: "a", secretId: { secretName: "one" } };
    const objects = renderChart({
      store: { kind: "vault", vault: { ...vault.store.vault, auth } },
      rotator: {
        ...inVault.rotator,
        lease: "presto",
        vaultRoleId: "b",
        vaultSecretId: { secretName: "other" },
      },
    });
    expect(configOf(objects, "rotator")["PRESTO_LOCK"]).toBe("kubernetes:default/presto");
    const [app, other] = sidecarPods(objects).map(({ sidecar }) =>
      sidecar.volumeMounts.map(({ name }: KubeObject) => name),
    );
    expect(app).not.toContain("presto-sidecar-api");
    expect(other).toContain("presto-sidecar-api");
  });

  it("asks for the login of those alone that it renders", () => {
    const auth = { method: "approle" };
    const rotatorsAlone = {
      app: { enabled: false },
      store: { kind: "vault", vault: { ...vault.store.vault, auth } },
      rotator: { ...inVault.rotator, vaultRoleId: "b", vaultSecretId: { secretName: "other" } },
    };
    expect(sidecarPods(renderChart(rotatorsAlone))).toHaveLength(1);
  });

  it("mounts the sealing key into our containers alone", () => {
    const store = { ...kubernetes.store, sealingKey: { secretName: "store-key", key: "current" } };
    for (const { pod, sidecar } of sidecarPods(renderChart({ store, ...rotator }))) {
      expect(pod.volumes).toContainEqual({
        name: "presto-sidecar-key",
        secret: { secretName: "store-key", defaultMode: 0o444, items: [{ key: "current", path: "key" }] },
      });
      expect(sidecar.env).toContainEqual({
        name: "PRESTO_STORE_KEY_FILE",
        value: "/var/run/presto-sidecar/key/key",
      });
    }
  });
});

describe.skipIf(!hasKubeTools)("the network policies", () => {
  const egressOf = (values: object, suffix: string): KubeObject[] =>
    ofKind(renderChart({ networkPolicy: { enabled: true }, ...values }), "NetworkPolicy").find(
      ({ metadata }) => metadata.name.endsWith(suffix),
    ).spec.egress;
  const portsOf = (egress: KubeObject[]) =>
    egress.map(({ ports }: KubeObject) => ports.map(({ port }: KubeObject) => port).join(","));

  it("are there only when asked for", () => {
    expect(ofKind(renderChart(), "NetworkPolicy")).toEqual([]);
  });

  it("let the app's pod out to names, Presto, the store and what the app needs", () => {
    const extraEgress = [{ ports: [{ port: 5432, protocol: "TCP" }] }];
    const policy = { enabled: true, extraEgress };
    expect(portsOf(egressOf({}, "sidecar"))).toEqual(["53,53", "443"]);
    expect(portsOf(egressOf({ platform: "openshift" }, "sidecar"))).toEqual(["53,53,5353,5353", "443"]);
    expect(portsOf(egressOf({ ...kubernetes, networkPolicy: policy }, "sidecar"))).toEqual([
      "53,53",
      "443",
      "443,6443",
      "5432",
    ]);
  });

  it("let a rotator out to names, Presto, the store and the egress proxy, and to nothing that the app needs", () => {
    const extraEgress = [{ ports: [{ port: 5432, protocol: "TCP" }] }];
    const networkPolicy = {
      enabled: true,
      extraEgress,
      egressCidrs: ["203.0.113.0/24"],
      storeCidrs: ["10.96.0.1/32"],
    };
    const direct = egressOf({ ...kubernetes, ...rotator, networkPolicy }, "rotator");
    expect(portsOf(direct)).toEqual(["53,53", "443", "443,6443"]);
    expect(direct.slice(1).map(({ to }: KubeObject) => to)).toEqual([
      [{ ipBlock: { cidr: "203.0.113.0/24" } }],
      [{ ipBlock: { cidr: "10.96.0.1/32" } }],
    ]);
    const env = { PRESTO_EGRESS_PROXY: "http://gateway.net:3128" };
    expect(portsOf(egressOf({ ...vault, ...inVault, env }, "rotator"))).toEqual(["53,53", "3128", "8200"]);
  });

  it("let in who is listed, and the pod of helm test to the admin port", () => {
    const [policy] = ofKind(
      renderChart({ networkPolicy: { enabled: true, appFrom: [{ podSelector: {} }] } }),
      "NetworkPolicy",
    );
    expect(policy.spec.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(policy.spec.ingress.map(({ ports }: KubeObject) => ports[0].port)).toEqual([8080, 7381]);
    expect(policy.spec.ingress[1].from).toHaveLength(1);
  });
});

describe.skipIf(!hasKubeTools)("the network policy of injected pods", () => {
  const adminFrom = [{ podSelector: { matchLabels: { app: "prometheus" } } }];
  const ingress = [{ ports: [{ port: 8080, protocol: "TCP" }] }];
  const extraEgress = [{ ports: [{ port: 5432, protocol: "TCP" }] }];
  const policiesWith = (injected: object[], more: object = {}) =>
    ofKind(
      renderChart({
        ...kubernetes,
        app: { enabled: false },
        injection: { enabled: true },
        networkPolicy: { enabled: true, injected, ...more },
      }),
      "NetworkPolicy",
    );

  it("stands in each namespace that is listed, and nowhere else", () => {
    expect(policiesWith([])).toEqual([]);
    const places = policiesWith([{ namespace: "payments" }, { namespace: "ledger" }]).map(
      ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
    );
    expect(places).toEqual(
      ["payments", "ledger"].map((namespace) => `${namespace}/example-presto-sidecar-injected.default`),
    );
  });

  it("selects the pods that the policy has marked, and lets them out to what the chart's own app gets", () => {
    const [policy] = policiesWith([{ namespace: "payments", ingress, extraEgress }], { adminFrom });
    expect(policy.spec.podSelector).toEqual({ matchLabels: { "presto-sidecar/injected": "true" } });
    expect(policy.spec.policyTypes).toEqual(["Ingress", "Egress"]);
    const [own] = ofKind(
      renderChart({ ...kubernetes, networkPolicy: { enabled: true, extraEgress } }),
      "NetworkPolicy",
    );
    expect(policy.spec.egress).toEqual(own.spec.egress);
    expect(policy.spec.ingress).toEqual([
      { from: adminFrom, ports: [{ port: 7381, protocol: "TCP" }] },
      ...ingress,
    ]);
  });

  it("lets nobody in whom nothing names", () => {
    const [policy] = policiesWith([{ namespace: "payments" }]);
    expect(policy.spec.ingress).toEqual([]);
  });
});

describe.skipIf(!hasKubeTools)("what a person reads after installing", () => {
  it.each<[string, object, RegExp]>([
    ["a token that is fed by hand", {}, /create secret generic presto-token --from-file=token=\/dev\/stdin/],
    [
      "a fleet",
      { ...kubernetes, ...rotator },
      /exec -i deployment\/example-presto-sidecar-rotator .* credentials import/,
    ],
    [
      "a fleet whose Secrets are not made",
      { ...kubernetes, ...rotator },
      /create secret generic presto-account/,
    ],
    ["a follower", kubernetes, /rotator\.enabled=true/],
    ["the templates alone", { app: { enabled: false } }, /Include the named templates/],
    [
      "how an app stays Guaranteed",
      {
        app: {
          resources: { requests: { cpu: "1", memory: "1024Mi" }, limits: { cpu: "1000m", memory: "1Gi" } },
        },
      },
      /WARNING: .* QoS class Guaranteed, .* `resources` requests and limits/,
    ],
  ])("is the next command: %s", (_, values, told) => {
    expect(notesOf(values)).toMatch(told);
  });

  it("names no command that would not do", () => {
    const made = notesOf({ ...kubernetes, rotator: { enabled: true, createSecrets: true } });
    expect(made).not.toMatch(/create secret|WARNING/);
    expect(made).toContain("helm --namespace default test example");
  });
});
