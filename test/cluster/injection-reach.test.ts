import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { deploymentOf, type KubeObject, renderChart } from "../support/render-chart.ts";
import {
  all,
  annotate,
  app,
  applyPolicies,
  canRender,
  type Change,
  fleetValues,
  isWith,
  makeAccount,
  makeLabelled,
  newPod,
  refusalOfPod,
  renderPolicies,
  spec,
  startInjecting,
  storedPod,
  tryPod,
} from "./kube/injection.ts";
import { grant, makeNamespace } from "./kube/namespace.ts";
import { apiToken, image, mountsApi, own } from "./kube/refused-pods.ts";
import type { KubeServer } from "./kube/server.ts";

// Which pods the policies of injection reach, which they leave as they are, and what they only warn of.

describe.skipIf(!canRender())("injection", () => {
  let kube: KubeServer;
  beforeAll(async () => {
    kube = await startInjecting();
    await makeNamespace(kube, "outside");
    await makeAccount(kube, "outside", "wallet");
    await grant(kube, {
      namespace: "payments",
      account: "follower",
      secret: "presto-token",
      verbs: ["get", "watch"],
    });
  });
  afterAll(() => kube.close());

  it.each<[string, (variable: number) => object]>([
    ["values", (variable) => ({ value: `value of ${variable}` })],
    ["fields", () => ({ valueFrom: { fieldRef: { fieldPath: "metadata.name" } } })],
    ["Secrets", (variable) => ({ valueFrom: { secretKeyRef: { name: "own", key: `key-${variable}` } } })],
  ])("stays within the cost that a policy may have, at 100 containers of 200 %s each", async (_, from) => {
    const pod = newPod((bare) => {
      bare.metadata.annotations["presto-sidecar/automount"] = "allowed";
      bare.spec.automountServiceAccountToken = true;
      bare.spec.containers = Array.from({ length: 100 }, (__, index) => ({
        name: `app-${index}`,
        image: "registry.example/wallet:1",
        volumeMounts: [{ name: "data", mountPath: "/data" }],
        ports: [{ containerPort: 10_000 + index }],
        envFrom: [{ secretRef: { name: "own" } }],
        env: [
          ...Array.from({ length: 198 }, (___, variable) => ({
            name: `VARIABLE_NUMBER_${variable}`,
            ...from(variable),
          })),
          { name: "HTTP_PROXY", value: "http://proxy:3128" },
          { name: "NO_PROXY", value: ".corp" },
        ],
      }));
      bare.spec.volumes = [{ name: "data", emptyDir: {} }];
    });
    const { status, json, warnings } = await tryPod(kube, "payments", pod);
    expect([status, Object(json).message]).toEqual([201, undefined]);
    // Of an account without rights, and of nothing else: the policy that warns has come to its end.
    expect(warnings).toEqual([expect.stringContaining("may not get and watch the Secret")]);
    const { containers } = Object(json).spec;
    expect(isWith(json)).toBe(true);
    expect(containers).toHaveLength(100);
    for (const { env } of containers) {
      expect(env).toHaveLength(201);
      expect(env.at(-1).value).toBe(".corp,127.0.0.1,localhost,::1");
    }
  });

  describe("leaves alone", () => {
    it.each<[string, string, Change]>([
      ["a pod that does not ask", "payments", (pod) => (pod.metadata.annotations = {})],
      [
        "a pod that says no",
        "payments",
        (pod) => (pod.metadata.annotations = { "presto-sidecar/inject": "disabled" }),
      ],
      ["a pod of a namespace without the label", "outside", () => {}],
      [
        "a pod of such a namespace, whatever it has under our names",
        "outside",
        (pod) => {
          Object.assign(pod.metadata.annotations, { "presto-sidecar/whatever": "1" });
          pod.metadata.labels = { "presto-sidecar/injected": "true" };
          Object.assign(pod.spec, { hostPID: true, volumes: [{ name: "presto-sidecar-api", emptyDir: {} }] });
          pod.spec.containers[0].name = "presto-sidecar";
        },
      ],
      [
        "a Windows pod",
        "payments",
        (pod) => {
          pod.spec.os = { name: "windows" };
        },
      ],
      [
        "a pod for Windows nodes",
        "payments",
        (pod) => {
          pod.spec.nodeSelector = { "kubernetes.io/os": "windows" };
        },
      ],
      [
        "a pod that shows one of kubelet's own",
        "payments",
        (pod) => {
          pod.metadata.annotations["kubernetes.io/config.mirror"] = "1";
          Object.assign(pod.spec, { nodeName: "node", hostNetwork: true });
          delete pod.spec.serviceAccountName;
        },
      ],
    ])("%s", async (_, namespace, change) => {
      const bare = newPod(change);
      const { status, json, warnings } = await tryPod(kube, namespace, bare);
      expect([status, warnings, Object(json).message]).toEqual([201, [], undefined]);
      const left = Object(json).spec;
      expect(left.initContainers ?? []).toEqual([]);
      expect(left.containers[0].env ?? []).toEqual([]);
      expect(left.volumes).toEqual(bare.spec.volumes);
    });

    it("a pod that has the sidecar by the chart's template, in a namespace with the label", async () => {
      const deployment = deploymentOf(renderChart({ ...fleetValues, app: { enabled: true } }));
      const pod = {
        metadata: { generateName: "included-" },
        spec: { ...deployment.spec.template.spec, serviceAccountName: "wallet" },
      };
      const stored = await storedPod(kube, "payments", pod);
      expect(stored.spec.initContainers).toHaveLength(1);
      expect(stored.metadata.labels).toBeUndefined();
    });

    it("a change of a pod's size, of its labels, and a debug container without mounts of the sidecar's", async () => {
      const { path } = await running();
      const debug = { name: "debug", image: "busybox", targetContainerName: "app" };
      expect((await kube.admin("PATCH", `${path}/ephemeralcontainers`, debugged(debug))).status).toBe(200);
      const labelled = await kube.admin("PATCH", path, { metadata: { labels: { team: "payments" } } });
      expect(labelled.status).toBe(200);
      const pod: KubeObject = labelled.json;
      pod.spec.containers[0].resources = { requests: { cpu: "20m" }, limits: { cpu: "40m" } };
      expect((await kube.admin("PUT", `${path}/resize`, pod)).json).toMatchObject({
        spec: { containers: [{ resources: { requests: { cpu: "20m" } } }] },
      });
    });
  });

  /** A pod with the sidecar. */
  async function running() {
    const pod = await storedPod(kube, "payments", newPod());
    return { path: `/api/v1/namespaces/payments/pods/${pod.metadata.name}`, pod };
  }
  const debugged = (container: object) => ({ spec: { ephemeralContainers: [container] } });

  describe("refuses, of a pod that runs,", () => {
    it("a debug container that mounts a volume of the sidecar's", async () => {
      const { path } = await running();
      const volumeMounts = [{ name: "presto-sidecar-api", mountPath: "/api" }];
      const debug = { name: "debug", image: "busybox", volumeMounts };
      const { status, json } = await kube.admin("PATCH", `${path}/ephemeralcontainers`, debugged(debug));
      expect([status, Object(json).message]).toEqual([
        422,
        expect.stringContaining(
          "presto-sidecar: the debug container debug mounts a volume of the sidecar's, which is for its container alone. Leave the mount out.",
        ),
      ]);
    });

    it.each<[string, string, number]>([
      ["another image where the token is mounted", "evil.example/presto-sidecar:1.2.3", 422],
      ["not another version of ours there", "registry.example/presto-sidecar:1.2.4", 200],
    ])("%s", async (_, other, expected) => {
      const { path, pod } = await running();
      pod.spec.initContainers[0].image = other;
      const { status, json } = await kube.admin("PUT", path, pod);
      expect([status, status === 200 || Object(json).message]).toEqual([
        expected,
        expected === 200 ||
          expect.stringMatching(/would get the image evil\.example\S+, and has the token mounted/),
      ]);
      pod.spec.containers[0].image = "registry.example/wallet:2";
      pod.spec.initContainers[0].image = image;
      delete pod.metadata.resourceVersion;
      expect((await kube.admin("PUT", path, pod)).status).toBe(200);
    });
  });

  it("harms no pod of another namespace by an expression that fails", async () => {
    await makeLabelled(kube, "broken", { label: "broken" });
    const values = { ...fleetValues, injection: { enabled: true, namespaceLabel: "broken" } };
    const policies = renderPolicies("broken", values);
    await applyPolicies(kube, policies, "broken");
    const mutating = structuredClone(policies.find(({ kind }) => kind === "MutatingAdmissionPolicy"));
    const [{ jsonPatch }] = mutating.spec.mutations;
    // As a misspelt field, which nothing finds before a pod is made.
    jsonPatch.expression = jsonPatch.expression.replaceAll('"args"', '"arguments"');
    const path = `/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/${mutating.metadata.name}`;
    expect((await kube.admin("PATCH", path, { spec: { mutations: mutating.spec.mutations } })).status).toBe(
      200,
    );
    await expect
      .poll(() => refusalOfPod(kube, "broken", newPod()), { timeout: 60_000 })
      .toContain("arguments");
    for (const namespace of ["payments", "outside"])
      expect(await refusalOfPod(kube, namespace, newPod())).toBe("it is made");
    // A pod there that does not ask is made, too.
    expect(
      await refusalOfPod(
        kube,
        "broken",
        newPod((pod) => (pod.metadata.annotations = {})),
      ),
    ).toBe("it is made");
  });

  describe("makes a pod with", () => {
    it.each<[string, Change]>([
      ["a token for others than the API server", all(apiToken("sts.amazonaws.com"), mountsApi)],
      [
        "a token that is allowed and may read nothing of ours",
        all(annotate("automount", "allowed"), spec({ automountServiceAccountToken: undefined })),
      ],
      ["a port like ours, of UDP", app({ ports: [{ containerPort: 7380, protocol: "UDP" }] })],
      ["Secrets of its own", app({ envFrom: [{ secretRef: { name: "own" } }] })],
      ["our image by digest too", own({ image: `${image}@sha256:${"a".repeat(64)}` })],
    ])("%s", async (title, change) => {
      const text = await refusalOfPod(kube, "payments", newPod(change));
      // Brought along without all that the policy writes: refused for that, and not for its image.
      expect(text).toMatch(title.startsWith("our image") ? /is not as the policy writes it/ : /^it is made$/);
    });

    it("the service account's token mounted by Kubernetes: into the app by its wish, and ours beside", async () => {
      const pod = await storedPod(
        kube,
        "payments",
        newPod(all(annotate("automount", "allowed"), spec({ automountServiceAccountToken: undefined }))),
      );
      const mounts = ({ volumeMounts }: KubeObject) => volumeMounts.map(({ name }: KubeObject) => name);
      expect(mounts(pod.spec.containers[0])).toEqual([expect.stringMatching(/^kube-api-access-/)]);
      expect(mounts(pod.spec.initContainers[0]).join()).not.toContain("kube-api-access");
    });
  });

  describe("warns of", () => {
    const guaranteed = app({ resources: { limits: { cpu: "1", memory: "1Gi" } } });
    it.each<[string, Change, RegExp | undefined]>([
      ["nothing", spec({ serviceAccountName: "follower" }), undefined],
      [
        "a pod that ends before the sidecar has drained",
        spec({ serviceAccountName: "follower", terminationGracePeriodSeconds: 25 }),
        /terminationGracePeriodSeconds is 25, and the sidecar alone may take 25 s/,
      ],
      [
        "a pod with a second to spare",
        spec({ serviceAccountName: "follower", terminationGracePeriodSeconds: 26 }),
        undefined,
      ],
      [
        "a service account that may not read the token",
        () => {},
        /account wallet may not get and watch the Secret payments\/presto-token/,
      ],
      [
        "a pod that would be Guaranteed",
        all(spec({ serviceAccountName: "follower" }), guaranteed),
        /QoS class Guaranteed, and with it is Burstable/,
      ],
      [
        "a pod that stays Guaranteed by its annotations",
        all(
          spec({ serviceAccountName: "follower" }),
          guaranteed,
          annotate("cpu-request", "1"),
          annotate("cpu-limit", "1"),
          annotate("memory-request", "384Mi"),
        ),
        undefined,
      ],
      [
        "a pod of one Guaranteed container and another",
        all(spec({ serviceAccountName: "follower" }), guaranteed, (pod) =>
          pod.spec.containers.push({ name: "other", image: "other" }),
        ),
        undefined,
      ],
      [
        "NO_PROXY from where it can't be read",
        all(
          spec({ serviceAccountName: "follower" }),
          app({
            env: [
              { name: "HTTP_PROXY", value: "http://proxy:3128" },
              { name: "NO_PROXY", valueFrom: { configMapKeyRef: { name: "net", key: "no" } } },
            ],
          }),
        ),
        /app has a proxy variable, and NO_PROXY from elsewhere/,
      ],
      [
        "variables that can't be seen, where a proxy may be among them",
        all(
          spec({ serviceAccountName: "follower" }),
          app({ envFrom: [{ configMapRef: { name: "network" } }] }),
        ),
        /app has variables by envFrom, .* set NO_PROXY under env, with 127\.0\.0\.1,localhost,::1 in it/,
      ],
      [
        "nothing where such a proxy is kept away from by the pod itself",
        all(
          spec({ serviceAccountName: "follower" }),
          app({
            envFrom: [{ configMapRef: { name: "network" } }],
            env: [{ name: "NO_PROXY", value: "127.0.0.1" }],
          }),
        ),
        undefined,
      ],
    ])("%s", async (_, change, warns) => {
      const { status, warnings, json } = await tryPod(kube, "payments", newPod(change));
      expect([status, Object(json).message]).toEqual([201, undefined]);
      expect(warnings).toEqual(warns === undefined ? [] : [expect.stringMatching(warns)]);
      if (warns === undefined) return;
      expect(warnings[0]).toContain("presto-sidecar: ");
    });

    it("the class of a pod that stays Guaranteed is Guaranteed", async () => {
      const change = all(
        guaranteed,
        annotate("cpu-request", "1"),
        annotate("cpu-limit", "1"),
        annotate("memory-request", "384Mi"),
      );
      expect((await storedPod(kube, "payments", newPod(change))).status.qosClass).toBe("Guaranteed");
    });
  });

  it("works in a namespace of limits and quotas, where its annotations give what they demand", async () => {
    await makeLabelled(kube, "limited", { annotations: { "presto-sidecar/cpu-limit": "500m" } });
    await makeAccount(kube, "limited", "other");
    const path = "/api/v1/namespaces/limited";
    const limits = [
      { type: "Container", max: { cpu: "1", memory: "1Gi" }, min: { cpu: "10m", memory: "16Mi" } },
    ];
    const hard = { "requests.cpu": "2", "requests.memory": "2Gi", "limits.cpu": "2", "limits.memory": "2Gi" };
    await kube.admin("POST", `${path}/limitranges`, { metadata: { name: "limits" }, spec: { limits } });
    await kube.admin("POST", `${path}/resourcequotas`, { metadata: { name: "quota" }, spec: { hard } });
    // What a controller does in a whole cluster.
    const used = { "requests.cpu": "0", "requests.memory": "0", "limits.cpu": "0", "limits.memory": "0" };
    await kube.admin("PATCH", `${path}/resourcequotas/quota/status`, { status: { hard, used } });
    const amounts = { cpu: "100m", memory: "128Mi" };
    const pod = await storedPod(
      kube,
      "limited",
      newPod(app({ resources: { requests: amounts, limits: amounts } })),
    );
    expect(pod.spec.initContainers[0].resources).toEqual({
      requests: { cpu: "50m", memory: "128Mi" },
      limits: { cpu: "500m", memory: "384Mi" },
    });
  });
});
