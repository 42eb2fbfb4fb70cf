import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { deploymentOf, type KubeObject, podOf, readObjects, renderChart } from "../support/render-chart.ts";
import {
  all,
  annotate,
  app,
  applyPolicies,
  canRender,
  type Change,
  fleetValues,
  makeLabelled,
  newPod,
  renderPolicies,
  spec,
  startInjecting,
  storedPod,
} from "./kube/injection.ts";
import type { KubeServer } from "./kube/server.ts";

// What the MutatingAdmissionPolicy makes of a pod that asks for the sidecar.

/** Of the pod's own settings that a policy could be tempted to change. */
const podLevel = [
  "securityContext",
  "terminationGracePeriodSeconds",
  "restartPolicy",
  "serviceAccountName",
  "automountServiceAccountToken",
  "enableServiceLinks",
  "shareProcessNamespace",
  "dnsPolicy",
];

describe.skipIf(!canRender())("injection", () => {
  let kube: KubeServer;
  beforeAll(async () => {
    kube = await startInjecting();
    await makeLabelled(kube, "amounts", {
      annotations: { "presto-sidecar/cpu-request": "75m", "presto-sidecar/memory-limit": "512Mi" },
    });
    await makeLabelled(kube, "meshed", { label: "meshed" });
    const meshed = {
      ...fleetValues,
      mesh: "istio",
      imagePullSecrets: ["registry-login"],
      injection: { enabled: true, namespaceLabel: "meshed", urlVariable: "PAYMENTS_URL" },
    };
    await applyPolicies(kube, renderPolicies("meshed", meshed), "meshed");
  });
  afterAll(() => kube.close());

  const injected = (change?: Change, namespace = "payments"): Promise<KubeObject> =>
    storedPod(kube, namespace, newPod(change));

  describe("of a pod that asks for it", () => {
    it("adds what the chart's named templates render, and nothing at the pod's own level", async () => {
      const included = podOf(renderChart({ ...fleetValues, app: { enabled: true } }));
      const pod = await injected();
      expect(pod.spec.initContainers).toHaveLength(1);
      expect(pod.spec.initContainers[0]).toMatchObject(included.initContainers[0]);
      expect(pod.spec.volumes).toMatchObject(included.volumes);
      expect(pod.metadata.labels).toEqual({ "presto-sidecar/injected": "true" });
      const plain = await injected((bare) => (bare.metadata.annotations = {}));
      for (const field of podLevel) expect(pod.spec[field]).toEqual(plain.spec[field]);
    });

    it("adds a native sidecar with probes by HTTP, without preStop, with requests of both", async () => {
      const [sidecar] = (await injected()).spec.initContainers;
      expect(sidecar).toMatchObject({
        name: "presto-sidecar",
        image: "registry.example/presto-sidecar:1.2.3",
        restartPolicy: "Always",
        args: ["start"],
        startupProbe: { httpGet: { path: "/startupz" } },
        readinessProbe: { httpGet: { path: "/readyz" } },
        livenessProbe: { httpGet: { path: "/livez" } },
        resources: { requests: { cpu: expect.any(String), memory: expect.any(String) } },
      });
      expect(sidecar).not.toHaveProperty("lifecycle");
    });

    it("gives the service account's token and the sealing key to the sidecar's container alone", async () => {
      const pod = await injected((bare) => {
        bare.spec.initContainers = [{ name: "migrate", image: "registry.example/wallet:1" }];
        bare.spec.containers.push({ name: "helper", image: "registry.example/helper:1" });
      });
      const secret = pod.spec.volumes
        .filter((volume: KubeObject) => volume.projected !== undefined || volume.secret !== undefined)
        .map(({ name }: KubeObject) => name);
      expect(secret).toEqual(expect.arrayContaining(["presto-sidecar-api", "presto-sidecar-key"]));
      const [sidecar, ...others] = [...pod.spec.initContainers, ...pod.spec.containers];
      expect(sidecar.volumeMounts.map(({ name }: KubeObject) => name)).toEqual(
        expect.arrayContaining(secret),
      );
      expect(others.map(({ name }) => name)).toEqual(["migrate", "app", "helper"]);
      for (const container of others) {
        expect(container.volumeMounts ?? []).toEqual([]);
        expect(JSON.stringify(container)).not.toMatch(/secret|presto-key|presto-token/i);
      }
    });

    it("tells each container of the app where the sidecar is, before the variables that refer to it", async () => {
      const pod = await injected((bare) => {
        bare.spec.containers[0].env = [{ name: "PAY", value: "$(WALLET_API_URL)/pay" }];
        bare.spec.containers.push({
          name: "other",
          image: "registry.example/other:1",
          env: [{ name: "WALLET_API_URL", value: "http://own.example" }],
        });
        bare.spec.initContainers = [{ name: "migrate", image: "registry.example/wallet:1" }];
      });
      const url = { name: "WALLET_API_URL", value: "http://127.0.0.1:7380" };
      expect(pod.spec.containers[0].env).toEqual([url, { name: "PAY", value: "$(WALLET_API_URL)/pay" }]);
      expect(pod.spec.containers[1].env).toEqual([{ name: "WALLET_API_URL", value: "http://own.example" }]);
      expect(pod.spec.initContainers[1].env).toEqual([url]);
      expect(JSON.stringify(pod.spec.initContainers[0].env)).not.toContain("WALLET_API_URL");
    });

    it.each<[string, string]>([
      ["the pod's annotation names another", "PAY_URL"],
      ["the chart's value names another", "PAYMENTS_URL"],
    ])("in another variable where %s", async (_, name) => {
      const pod =
        name === "PAY_URL"
          ? await injected((bare) => (bare.metadata.annotations["presto-sidecar/url-variable"] = name))
          : await injected(undefined, "meshed");
      expect(pod.spec.containers[0].env).toEqual([{ name, value: "http://127.0.0.1:7380" }]);
    });

    it.each<[string, object[], object[]]>([
      [
        "has none of its own",
        [{ name: "HTTP_PROXY", value: "http://proxy:3128" }],
        [
          { name: "NO_PROXY", value: "127.0.0.1,localhost,::1" },
          { name: "no_proxy", value: "127.0.0.1,localhost,::1" },
        ],
      ],
      [
        "has one for others",
        [
          { name: "http_proxy", value: "http://proxy:3128" },
          { name: "no_proxy", value: ".corp" },
        ],
        [{ name: "no_proxy", value: ".corp,127.0.0.1,localhost,::1" }],
      ],
      [
        "has an empty one",
        [{ name: "http_proxy", value: "http://proxy:3128" }, { name: "NO_PROXY" }],
        [{ name: "NO_PROXY", value: "127.0.0.1,localhost,::1" }],
      ],
      [
        "has one that says so already",
        [
          { name: "ALL_PROXY", value: "http://proxy:3128" },
          { name: "NO_PROXY", value: "127.0.0.1" },
        ],
        [{ name: "NO_PROXY", value: "127.0.0.1" }],
      ],
      ["has no proxy", [{ name: "NO_PROXY", value: ".corp" }], [{ name: "NO_PROXY", value: ".corp" }]],
    ])("keeps its calls to the sidecar away from a proxy, where the app %s", async (_, env, expected) => {
      const pod = await injected((bare) => (bare.spec.containers[0].env = env));
      const found = pod.spec.containers[0].env.filter(({ name }: KubeObject) => /^no_proxy$/i.test(name));
      expect(found).toHaveLength(expected.length);
      expect(found).toEqual(expect.arrayContaining(expected));
    });

    it.each<[string, string, Record<string, string>, object]>([
      [
        "of the chart",
        "payments",
        {},
        { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "384Mi" } },
      ],
      [
        "of its namespace",
        "amounts",
        {},
        { requests: { cpu: "75m", memory: "128Mi" }, limits: { memory: "512Mi" } },
      ],
      [
        "of its own before all of them",
        "amounts",
        { "presto-sidecar/cpu-request": "1", "presto-sidecar/cpu-limit": "1" },
        { requests: { cpu: "1", memory: "128Mi" }, limits: { cpu: "1", memory: "512Mi" } },
      ],
      [
        "of its own, whole",
        "payments",
        { "presto-sidecar/memory-request": "384Mi", "presto-sidecar/memory-limit": "1Gi" },
        { requests: { cpu: "50m", memory: "384Mi" }, limits: { memory: "1Gi" } },
      ],
    ])("takes the resources %s", async (_, namespace, annotations, expected) => {
      const pod = await injected((bare) => Object.assign(bare.metadata.annotations, annotations), namespace);
      expect(pod.spec.initContainers[0].resources).toEqual(expected);
    });

    it("writes the mesh's exclusions behind the pod's own, and the secret of the registry", async () => {
      const pod = await injected((bare) => {
        bare.metadata.annotations["traffic.sidecar.istio.io/excludeOutboundPorts"] = "5432";
        bare.spec.imagePullSecrets = [{ name: "own" }];
      }, "meshed");
      expect(pod.metadata.annotations).toMatchObject({
        "traffic.sidecar.istio.io/excludeInboundPorts": "7381",
        "traffic.sidecar.istio.io/excludeOutboundPorts": expect.stringMatching(/^5432,.*443/),
      });
      expect(pod.spec.imagePullSecrets).toEqual([{ name: "own" }, { name: "registry-login" }]);
    });
  });

  it("makes of docs/examples/injected.yaml what is fit for the restricted Pod Security Standard", async () => {
    const path = fileURLToPath(new URL("../../docs/examples/injected.yaml", import.meta.url));
    const text = (await readFile(path, "utf8")).replaceAll(/\bpayments$/gm, "example");
    const [namespace, account, deployment] = readObjects(text);
    for (const [collection, object] of [
      ["/api/v1/namespaces", namespace],
      ["/api/v1/namespaces/example/serviceaccounts", account],
      ["/apis/apps/v1/namespaces/example/deployments", deployment],
    ] as const) {
      const { status } = await kube.admin("POST", `${collection}?fieldValidation=Strict`, object);
      expect(status).toBe(201);
    }
    const { template } = deployment.spec;
    template.metadata.generateName = "wallet-";
    const pod = await storedPod(kube, "example", template);
    expect(pod.spec.initContainers).toMatchObject([{ name: "presto-sidecar", restartPolicy: "Always" }]);
    const [own] = pod.spec.containers;
    expect(own.env).toEqual([{ name: "WALLET_API_URL", value: "http://127.0.0.1:7380" }]);
    expect(own.volumeMounts).toBeUndefined();
  });

  describe("whatever the chart's values are:", () => {
    const { store, ...plain } = fleetValues;
    it.each<[string, object, Change]>([
      [
        "mounted",
        {
          audit: { volume: "emptyDir", sizeLimit: "1024Mi" },
          egressProxy: { secretName: "egress-proxy" },
          ca: { configMapName: "company-ca" },
          control: { shareWithApp: true },
          env: { PRESTO_LOG_LEVEL: "warn", PRESTO_HOSTS: `it's "presto" & <co>` },
        },
        app({ volumeMounts: [{ name: "presto-sidecar-control", mountPath: "/control", readOnly: true }] }),
      ],
      [
        "vault",
        {
          store: {
            kind: "vault",
            vault: {
              address: "https://vault.example:8200",
              entry: "secret/presto",
              caConfigMapName: "vault-ca",
              auth: { audience: "vault" },
            },
          },
          mesh: "linkerd",
        },
        // Its token is not the sidecar's: that one is for Vault alone.
        all(annotate("automount", "allowed"), spec({ automountServiceAccountToken: undefined })),
      ],
      [
        "approle",
        {
          store: {
            kind: "vault",
            vault: {
              address: "https://vault.example:8200",
              entry: "secret/presto",
              auth: { method: "approle", roleId: "wallet", secretId: { secretName: "vault-wallet" } },
            },
          },
          otlpHeaders: { secretName: "collector" },
          env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" },
        },
        () => {},
      ],
      [
        "openshift",
        { store, platform: "openshift", image: { digest: `sha256:${"a".repeat(64)}` } },
        spec({ securityContext: { runAsUser: 65532 } }),
      ],
    ])("%s", async (label, more, change) => {
      const values = { ...plain, ...more, injection: { enabled: true, namespaceLabel: label } };
      await makeLabelled(kube, label, { label });
      await applyPolicies(kube, renderPolicies(label, values), label);
      const [sidecar] = (await injected(change, label)).spec.initContainers;
      const included = podOf(renderChart({ ...values, app: { enabled: true } })).initContainers[0];
      expect(sidecar).toMatchObject(included);
    });
  });

  it("leaves a pod that has it by the chart's template, and asks as well, with that one", async () => {
    const included = deploymentOf(renderChart({ ...fleetValues, app: { enabled: true } })).spec.template;
    const template = newPod((pod) => Object.assign(pod, { spec: included.spec }));
    template.spec.serviceAccountName = "wallet";
    const pod = await storedPod(kube, "payments", template);
    expect(pod.spec.initContainers).toHaveLength(1);
    expect(pod.spec).toMatchObject(template.spec);
  });

  describe("whatever lists the pod has", () => {
    const own = {
      initContainers: { name: "migrate", image: "registry.example/wallet:1" },
      volumes: { name: "data", emptyDir: {} },
      env: { name: "LOG", value: "json" },
      labels: ["team", "payments"] as const,
    };
    it.each<[string, Change, number]>([
      ["absent", () => {}, 0],
      [
        "null",
        (pod) => {
          Object.assign(pod.spec, { initContainers: null, volumes: null, imagePullSecrets: null });
          Object.assign(pod.spec.containers[0], { env: null, volumeMounts: null, ports: null });
          pod.metadata.labels = null;
        },
        0,
      ],
      [
        "empty",
        (pod) => {
          Object.assign(pod.spec, { initContainers: [], volumes: [], imagePullSecrets: [] });
          Object.assign(pod.spec.containers[0], { env: [], volumeMounts: [], ports: [] });
          pod.metadata.labels = {};
        },
        0,
      ],
      [
        "filled",
        (pod) => {
          Object.assign(pod.spec, { initContainers: [own.initContainers], volumes: [own.volumes] });
          pod.spec.containers[0].env = [own.env];
          pod.metadata.labels = Object.fromEntries([own.labels]);
        },
        1,
      ],
    ])("%s", async (_, change, count) => {
      const pod = await injected(change);
      expect(pod.spec.initContainers.map(({ name }: KubeObject) => name)).toEqual(
        ["presto-sidecar", "migrate"].slice(0, 1 + count),
      );
      expect(pod.spec.volumes.map(({ name }: KubeObject) => name).includes("data")).toBe(count === 1);
      expect(pod.spec.containers[0].env.map(({ name }: KubeObject) => name)).toEqual(
        ["WALLET_API_URL", "LOG"].slice(0, 1 + count),
      );
      expect(Object.keys(pod.metadata.labels)).toHaveLength(1 + count);
    });
  });

  it("does to a pod that has been through it what it does to one that has not: once", async () => {
    const first = await injected((pod) => {
      pod.spec.containers[0].env = [
        { name: "HTTP_PROXY", value: "http://proxy:3128" },
        { name: "NO_PROXY", value: ".corp" },
      ];
    });
    const { labels, annotations } = first.metadata;
    const second = await storedPod(kube, "payments", {
      metadata: { generateName: "again-", labels, annotations },
      spec: first.spec,
    });
    expect(second.spec).toEqual(first.spec);
    expect(second.metadata.labels).toEqual(labels);
  });
});
