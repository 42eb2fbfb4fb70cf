import { cp } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  chartFolder,
  type KubeObject,
  notesOf,
  podOf,
  readObjects,
  renderChart,
  sidecarOfPod,
  valueSets,
} from "../support/render-chart.ts";
import { type Controllers, itemsOf, podsIn, startControllers } from "./kube/controllers.ts";
import { install, type KubeTools, kubeTools, valuesOf } from "./kube/helm.ts";
import { makeRestricted } from "./kube/namespace.ts";
import { applyOperatorTypes } from "./kube/operator-types.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// The chart installed by Helm into a real API server, with each set of values under its ci/.

let kube: KubeServer;
let tools: KubeTools;
let controllers: Controllers;

beforeAll(async () => {
  kube = await startKubeServer();
  tools = kubeTools(kube);
  controllers = await startControllers(kube);
  await applyOperatorTypes(kube);
  // That of the token which follower-values.yaml names.
  await makeRestricted(kube, "payments");
});
afterAll(async () => {
  await controllers.end();
  await kube.close();
});

/** That of audit.claimName, on a volume of its own. */
async function makeClaim(namespace: string, name: string): Promise<void> {
  const most = { accessModes: ["ReadWriteMany"], storageClassName: "" };
  const volume = { ...most, capacity: { storage: "1Gi" }, hostPath: { path: "/records" } };
  const claim = { ...most, resources: { requests: { storage: "1Gi" } } };
  for (const [path, spec] of [
    ["/api/v1/persistentvolumes", volume],
    [`/api/v1/namespaces/${namespace}/persistentvolumeclaims`, claim],
  ] as const)
    expect((await kube.admin("POST", path, { metadata: { name }, spec })).status).toBe(201);
}

describe.each(valueSets)("with %s", (values) => {
  const release = values.replace("-values.yaml", "");

  it("is installed by Helm, which waits until all of it is there, and is tested", async () => {
    await makeRestricted(kube, release);
    if (release === "full") await makeClaim(release, "money-records");
    await install(tools, release, valuesOf(values));
    const { code, out } = await tools.helm(["test", release, "--namespace", release, "--timeout", "30s"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/Phase: +Succeeded/)]);
  });

  it("renders nothing that the API server does not know, and nothing else than it installs", async () => {
    const rendered = await tools.helm([
      "template",
      release,
      chartFolder,
      "--namespace",
      release,
      ...valuesOf(values),
    ]);
    expect(rendered.code).toBe(0);
    const applied = await tools.kubectl(
      [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "--filename",
        "-",
      ],
      rendered.out,
    );
    expect([applied.code, applied.err]).toEqual([0, ""]);
    const installed = await tools.helm(["get", "manifest", release, "--namespace", release]);
    const named = (text: string) =>
      readObjects(text).toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
    const nameOf = ({ kind, metadata }: KubeObject) => `${kind}/${metadata.namespace}/${metadata.name}`;
    // The test's pod is no part of the release.
    expect(named(installed.out)).toEqual(named(rendered.out).filter(({ kind }) => kind !== "Pod"));
  });

  it("has pods whose other containers mount neither the service account's token nor a key, as they are stored", async () => {
    const deployments = await itemsOf(kube, `/apis/apps/v1/namespaces/${release}/deployments`);
    const pods = await podsIn(kube, release);
    expect(pods.length).toBeGreaterThan(0);
    expect(pods).toHaveLength(deployments.reduce((sum, { spec }) => sum + spec.replicas, 0));
    for (const { spec: pod } of pods) {
      const ours = sidecarOfPod(pod);
      const secret = pod.volumes
        .filter((volume: KubeObject) => volume.secret !== undefined || volume.projected !== undefined)
        .map((volume: KubeObject) => volume.name);
      expect(secret).not.toEqual([]);
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        const mounts = (container.volumeMounts ?? []).map((mount: KubeObject) => mount.name);
        if (container.name === ours.name) expect(mounts).toEqual(expect.arrayContaining(secret));
        else expect(mounts.filter((mount: string) => mount !== "presto-sidecar-control")).toEqual([]);
      }
    }
  });
});

describe("what Prometheus' operator reads", () => {
  const kinds = ["PodMonitor", "PrometheusRule"];
  const monitoring = {
    namespaces: ["payments", "ledger"],
    podMonitor: { enabled: true },
    rules: { enabled: true, rotators: true, alertLabels: { team: "payments" } },
  };
  const objects = (): KubeObject[] =>
    renderChart({ monitoring }).filter(({ kind }: KubeObject) => kinds.includes(kind));
  const apply = (items: readonly KubeObject[]) =>
    tools.kubectl(
      ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--output=json", "--filename=-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    );

  it("is what its own types take, and all of it is kept", async () => {
    const rendered = objects();
    expect(rendered.map(({ kind }) => kind)).toEqual(kinds);
    const { code, out, err } = await apply(rendered);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out).items.map(({ spec }: KubeObject) => spec)).toMatchObject(
      rendered.map(({ spec }) => spec),
    );
  });

  it.each<[string, (monitor: KubeObject, rule: KubeObject) => void, RegExp]>([
    [
      "a field that they do not know",
      (monitor) => (monitor.spec.podMetricsEndpoints[0].intervall = "30s"),
      /PodMonitor\.spec\.podMetricsEndpoints\[0\]\): unknown field "intervall"/,
    ],
    [
      "an interval that is none",
      (monitor) => (monitor.spec.podMetricsEndpoints[0].interval = "often"),
      /spec\.podMetricsEndpoints\[0\]\.interval/,
    ],
    [
      "an alert without an expression",
      (_, rule) => delete rule.spec.groups[0].rules[0].expr,
      /PrometheusRule\.spec\.groups\[0\]\.rules\[0\]\): missing required field "expr"/,
    ],
  ])("would be refused with %s", async (_, change, says) => {
    const [monitor, rule] = objects();
    change(monitor, rule);
    const { code, err } = await apply([monitor, rule]);
    expect([code, err]).toEqual([1, expect.stringMatching(says)]);
  });
});

describe("the pod of another chart that includes ours in one line", () => {
  it("is taken, and its own container mounts nothing of ours", async () => {
    const copy = join(kube.folder, "charts");
    await cp(join(chartFolder, ".."), copy, { recursive: true });
    const own = join(copy, "examples", "own-chart");
    await makeRestricted(kube, "own");
    expect(await tools.helm(["dependency", "build", own])).toMatchObject({ code: 0 });
    const given = ["install", "own", own, "--namespace", "own", "--wait", "--timeout=60s"];
    expect(await tools.helm(given)).toMatchObject({ code: 0 });
    const [{ spec: stored }] = await itemsOf(kube, "/api/v1/namespaces/own/pods");
    expect([stored.automountServiceAccountToken, stored.containers.length]).toEqual([false, 1]);
    expect(stored.containers[0].volumeMounts ?? []).toEqual([]);
    expect(sidecarOfPod(stored)).toMatchObject({ restartPolicy: "Always" });
  });
});

describe("a namespace with a LimitRange and a ResourceQuota", () => {
  const namespace = "limited";
  const core = `/api/v1/namespaces/${namespace}`;

  it("takes the pods of the chart, which ask for CPU and memory, and counts them", async () => {
    await makeRestricted(kube, namespace);
    const limits = [
      {
        type: "Container",
        min: { cpu: "10m", memory: "32Mi" },
        max: { memory: "512Mi" },
        defaultRequest: { cpu: "1" },
      },
    ];
    const range = { metadata: { name: "range" }, spec: { limits } };
    expect((await kube.admin("POST", `${core}/limitranges`, range)).status).toBe(201);
    const hard = { "requests.cpu": "1", "requests.memory": "1Gi", "limits.memory": "2Gi" };
    await kube.admin("POST", `${core}/resourcequotas`, { metadata: { name: "quota" }, spec: { hard } });
    const used = async (): Promise<unknown> =>
      Object((await kube.admin("GET", `${core}/resourcequotas/quota`)).json).status.used?.["requests.cpu"];
    await expect.poll(used).toBe("0");
    await install(tools, namespace, valuesOf("kubernetes-values.yaml"));
    // Of two pods of the app 10m and their sidecars' 50m, and of two rotators 30m.
    await expect.poll(used).toBe("180m");
  });
});

describe("the quality class of the app's pod, by which the chart warns in NOTES.txt:", () => {
  const whole = { cpu: "500m", memory: "1Gi" };
  it.each<[string, object, object, boolean]>([
    ["Burstable as it comes", {}, {}, false],
    ["not Guaranteed any more", { requests: whole, limits: whole }, {}, true],
    [
      "not Guaranteed any more, however amounts are written",
      { requests: { cpu: "0.5", memory: "1024Mi" }, limits: whole },
      {},
      true,
    ],
    [
      "not Guaranteed any more, where limits stand for requests",
      { requests: { cpu: null, memory: null }, limits: whole },
      {},
      true,
    ],
    ["never Guaranteed, without a limit of CPU", { requests: whole, limits: { memory: "1Gi" } }, {}, false],
    ["never Guaranteed, asking for less", { requests: { ...whole, cpu: "499m" }, limits: whole }, {}, false],
    [
      "still Guaranteed",
      { requests: whole, limits: whole },
      { requests: { cpu: 1, memory: "384Mi" }, limits: { cpu: "1" } },
      false,
    ],
  ])("%s", async (_, app, resources, warns) => {
    const values = { app: { resources: app }, resources };
    const spec = { ...podOf(renderChart(values)), serviceAccountName: "default" };
    const classOf = async (more: object): Promise<unknown> => {
      const pod = { metadata: { name: "class" }, spec: { ...spec, ...more } };
      const { json } = await kube.admin("POST", "/api/v1/namespaces/payments/pods?dryRun=All", pod);
      return Object(json).status.qosClass;
    };
    const classes = [await classOf({ initContainers: [] }), await classOf({})];
    expect([classes[0] === "Guaranteed" && classes[1] !== "Guaranteed", classes]).toEqual([warns, classes]);
    expect(notesOf(values).includes("WARNING: without the sidecar")).toBe(warns);
  });
});

describe("each service account of a fleet", () => {
  const namespace = "rights";
  const core = `/api/v1/namespaces/${namespace}`;
  const secret = (name: string) => `${core}/secrets/${name}`;
  const lease = (name: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;

  beforeAll(async () => {
    await makeRestricted(kube, namespace);
    await install(tools, namespace, valuesOf("kubernetes-values.yaml"));
    await kube.admin("POST", `${core}/serviceaccounts`, { metadata: { name: "ledger" } });
    await kube.admin("POST", `${core}/serviceaccounts`, { metadata: { name: "stranger" } });
  });

  async function statusesOf(
    account: string,
    asked: readonly (readonly ["GET" | "PUT" | "POST" | "DELETE", string, object?])[],
  ) {
    const token = await kube.tokenFor(namespace, account);
    const answers = [];
    for (const [method, path, body] of asked) answers.push((await kube.as(token, method, path, body)).status);
    return answers;
  }

  it.each(["rights-presto-sidecar", "ledger"])(
    "%s reads the token's Secret, and nothing else",
    async (account) => {
      const token = await kube.admin("GET", secret("live-token"));
      expect(
        await statusesOf(account, [
          ["GET", secret("live-token")],
          ["PUT", secret("live-token"), Object(token.json)],
          ["DELETE", secret("live-token")],
          ["GET", secret("presto-login")],
          ["GET", `${core}/secrets`],
          ["GET", lease("live-token")],
          ["PUT", lease("live-token"), { metadata: { name: "live-token" } }],
          ["POST", `${core}/pods`, {}],
        ]),
      ).toEqual([200, 403, 403, 403, 403, 403, 403, 403]);
    },
  );

  it("the rotators' reads and writes both Secrets and takes one Lease, and nothing else", async () => {
    const [token, account] = [
      await kube.admin("GET", secret("live-token")),
      await kube.admin("GET", secret("presto-login")),
    ];
    expect(
      await statusesOf("rights-presto-sidecar-rotator", [
        ["GET", secret("live-token")],
        ["PUT", secret("live-token"), Object(token.json)],
        ["GET", secret("presto-login")],
        ["PUT", secret("presto-login"), Object(account.json)],
        ["PUT", lease("live-token"), { metadata: { name: "live-token" }, spec: {} }],
        ["GET", lease("live-token")],
        ["GET", `${core}/secrets`],
        ["POST", `${core}/secrets`, { metadata: { name: "another" } }],
        ["DELETE", secret("live-token")],
        ["DELETE", lease("live-token")],
        ["PUT", lease("another"), { metadata: { name: "another" }, spec: {} }],
        ["GET", secret("presto-store-key")],
      ]),
    ).toEqual([200, 200, 200, 200, 201, 200, 403, 403, 403, 403, 403, 403]);
  });

  it("another account's has none of these rights", async () => {
    expect(await statusesOf("stranger", [["GET", secret("live-token")]])).toEqual([403]);
  });

  it("finds the Secrets that the chart made untouched by an upgrade, and there after the release has gone", async () => {
    const before = Object((await kube.admin("GET", secret("live-token"))).json);
    const data = { sealed: Buffer.from("a-record").toString("base64") };
    const { status, json } = await kube.admin("PUT", secret("live-token"), { ...before, data });
    expect([status, before.data]).toEqual([200, undefined]);
    const read = async () =>
      Object((await kube.admin("GET", secret("live-token"))).json).metadata.resourceVersion;
    const written = Object(json).metadata.resourceVersion;
    await install(
      tools,
      namespace,
      [...valuesOf("kubernetes-values.yaml"), "--set", "env.PRESTO_TIMEOUT=14s"],
      "upgrade",
    );
    expect(await read()).toBe(written);
    const { code } = await tools.helm(["uninstall", namespace, "--namespace", namespace, "--wait"]);
    expect([code, await read()]).toEqual([0, written]);
    await install(tools, namespace, valuesOf("kubernetes-values.yaml"));
    expect(await read()).toBe(written);
  });
});

it("is refused without a url, by a sentence, and leaves nothing behind", async () => {
  const { code, err } = await tools.helm(["install", "nowhere", chartFolder, "--namespace", "payments"]);
  expect([code, err]).toEqual([1, expect.stringContaining("url is not set, and there is no default")]);
  expect((await tools.helm(["list", "--all", "--namespace", "payments", "--short"])).out.trim()).toBe("");
});

it("is told as failed by helm test where a sidecar does not get ready", async () => {
  const where = ["--namespace", "payments"];
  const given = ["unready", chartFolder, ...where, ...valuesOf("minimal-values.yaml")];
  expect(await tools.helm(["install", ...given])).toMatchObject({ code: 0 });
  expect((await tools.helm(["test", "unready", ...where, "--timeout", "30s"])).code).toBe(1);
});
