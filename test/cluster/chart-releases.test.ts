import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { chartFolder, type KubeObject } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import {
  type Controllers,
  isReady,
  itemsOf,
  podsIn,
  setReady,
  startControllers,
  unready,
} from "./kube/controllers.ts";
import { install, type KubeTools, kubeTools, valuesOf } from "./kube/helm.ts";
import {
  applyPolicies,
  fleetValues,
  isWith,
  makeLabelled,
  newPod,
  renderPolicies,
} from "./kube/injection.ts";
import { makeRestricted } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// What becomes of a release of the chart: who waits for it, how it is upgraded, by Helm 3 and 4, and drained.

let kube: KubeServer;
let tools: KubeTools;
let controllers: Controllers;

beforeAll(async () => {
  kube = await startKubeServer();
  tools = kubeTools(kube);
  controllers = await startControllers(kube);
  // That of the token which follower-values.yaml names.
  await makeRestricted(kube, "payments");
});
afterAll(async () => {
  await controllers.end();
  await kube.close();
});

const unreadyPods = ["app", "rotator"].flatMap((of) => ["--set", `${of}.podAnnotations.${unready}=yes`]);

/** Pods that run, as soon as they are so many. */
function running(namespace: string, count: number, component?: string): Promise<KubeObject[]> {
  const look = async (): Promise<KubeObject[] | undefined> => {
    const pods = (await podsIn(kube, namespace, component)).filter(
      ({ metadata, status }) => status.phase === "Running" && metadata.deletionTimestamp === undefined,
    );
    return pods.length === count ? pods : undefined;
  };
  return until(look, { withinMs: 30_000, everyMs: 50, what: `${count} pods run in ${namespace}` });
}

describe.each<["helm3" | "helm", RegExp]>([
  ["helm3", /INSTALLATION FAILED: .*context deadline exceeded/],
  ["helm", /INSTALLATION FAILED: resource Deployment\/\S+ not ready\. status: /],
])("%s install --wait", (helm, says) => {
  /** Installs two of an app and two rotators, none of which gets ready. */
  async function begin(release: string, waiting: readonly string[]) {
    await makeRestricted(kube, release);
    const given = [release, chartFolder, `--namespace=${release}`, ...valuesOf("kubernetes-values.yaml")];
    return tools[helm](["install", ...given, ...unreadyPods, ...waiting]);
  }

  it("comes back when every Deployment is ready, and not before", async () => {
    const order: string[] = [];
    const waiting = `${helm}-waits`;
    const ended = begin(waiting, ["--wait", "--timeout=60s"]).then((end) => {
      order.push("who waits comes back");
      return end;
    });
    const pods = await running(waiting, 4);
    // As long as it takes Helm to do all but wait.
    const hasty = `${helm}-does-not-wait`;
    expect(await begin(hasty, [])).toMatchObject({ code: 0 });
    expect((await podsIn(kube, hasty)).filter(isReady)).toEqual([]);
    order.push("who does not wait comes back");
    // All but one are not all.
    for (const [index, pod] of pods.entries()) {
      if (index === pods.length - 1) order.push("the last pod gets ready");
      await setReady(kube, pod, true);
    }
    expect(await ended).toMatchObject({ code: 0 });
    expect(order).toEqual([
      "who does not wait comes back",
      "the last pod gets ready",
      "who waits comes back",
    ]);
  });

  it("gives up with a sentence, and a release that has failed, where none gets ready", async () => {
    const release = `${helm}-gives-up`;
    const { code, err } = await begin(release, ["--wait", "--timeout=3s"]);
    expect([code, err]).toEqual([1, expect.stringMatching(says)]);
    const { out } = await tools[helm](["status", release, "--namespace", release]);
    expect(out).toMatch(/^STATUS: failed$/m);
  });
});

describe("an upgrade", () => {
  const namespace = "upgrades";
  beforeAll(async () => {
    await makeRestricted(kube, namespace);
  });

  it("from a chart that lacks a value says so under --reuse-values, and goes through with --reset-then-reuse-values", async () => {
    const earlier = join(kube.folder, "earlier");
    await mkdir(join(earlier, "templates"), { recursive: true });
    await writeFile(join(earlier, "Chart.yaml"), "apiVersion: v2\nname: presto-sidecar\nversion: 0.0.1\n");
    await writeFile(join(earlier, "values.yaml"), 'url: ""\nport: 7380\n');
    const where = ["--namespace", namespace];
    const set = ["--set", "url=https://presto.example", "--set", "port=7390"];
    expect(await tools.helm(["install", "old", earlier, ...where, ...set])).toMatchObject({ code: 0 });
    const reused = await tools.helm(["upgrade", "old", chartFolder, ...where, "--reuse-values"]);
    expect([reused.code, reused.err]).toEqual([
      1,
      expect.stringMatching(/The value \w+ is missing: these are the values of an earlier version/),
    ]);
    await install(tools, "old", ["--reset-then-reuse-values", ...where], "upgrade");
    const { out } = await tools.helm(["get", "manifest", "old", ...where]);
    expect(out).toContain("127.0.0.1:7390,[::1]:7390");
  });

  it("tells of a scale by hand instead of undoing it, and goes through with --force-conflicts", async () => {
    await install(tools, "scaled", ["--set", "url=https://presto.example", "--namespace", namespace]);
    const where = ["--namespace", namespace];
    const scaled = await tools.kubectl([
      "scale",
      "deployment/scaled-presto-sidecar",
      "--replicas=5",
      ...where,
    ]);
    expect(scaled.code).toBe(0);
    const given = ["scaled", chartFolder, ...where, "--set", "url=https://presto.example"];
    const { code, err } = await tools.helm(["upgrade", ...given, "--set", "app.replicas=3"]);
    expect([code, err]).toEqual([1, expect.stringContaining(".spec.replicas")]);
    await install(
      tools,
      "scaled",
      [...given.slice(2), "--set", "app.replicas=3", "--force-conflicts"],
      "upgrade",
    );
    const { json } = await kube.admin(
      "GET",
      `/apis/apps/v1/namespaces/${namespace}/deployments/scaled-presto-sidecar`,
    );
    expect(Object(json)).toMatchObject({ spec: { replicas: 3 }, status: { readyReplicas: 3 } });
  });

  it("goes through from Helm 3 to Helm 4 and back", async () => {
    const where = ["--namespace", namespace, "--wait", "--timeout=60s"];
    const url = ["--set", "url=https://presto.example"];
    for (const [helm, verb, port] of [
      [tools.helm3, "install", 7390],
      [tools.helm, "upgrade", 7391],
      [tools.helm3, "upgrade", 7392],
      [tools.helm, "upgrade", 7393],
    ] as const) {
      const set = [...url, "--set", `port=${port}`, ...valuesOf("follower-values.yaml")];
      const { code, err } = await helm([verb, "both", chartFolder, ...where, ...set]);
      expect([verb, port, code, err.includes("Error")]).toEqual([verb, port, 0, false]);
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments/both-presto-sidecar`;
      const [sidecar] = Object((await kube.admin("GET", path)).json).spec.template.spec.initContainers;
      expect(sidecar.env.find(({ name }: KubeObject) => name === "PRESTO_LISTEN").value).toContain(
        `:${port},`,
      );
    }
  });

  it("goes through after a restart, and after an edit of what the chart does not set", async () => {
    await install(tools, "live", ["--set", "url=https://presto.example", "--namespace", namespace]);
    const of = ["--namespace", namespace, "deployment/live-presto-sidecar"];
    for (const args of [
      ["rollout", "restart", ...of],
      ["annotate", ...of, "team=payments"],
      ["set", "env", ...of, "--containers=app", "LEVEL=debug"],
    ])
      expect(await tools.kubectl(args)).toMatchObject({ code: 0 });
    await install(
      tools,
      "live",
      ["--reuse-values", "--set", "port=7390", "--namespace", namespace],
      "upgrade",
    );
    expect(await tools.kubectl(["rollout", "status", ...of, "--timeout=30s"])).toMatchObject({ code: 0 });
  });
});

describe("the rotators of a release", () => {
  const namespace = "rotators";
  const core = `/api/v1/namespaces/${namespace}`;
  const rotators = (count: number) => running(namespace, count, "rotator");
  beforeAll(async () => {
    await makeRestricted(kube, namespace);
    const given = [namespace, chartFolder, "--namespace", namespace, ...valuesOf("kubernetes-values.yaml")];
    // Those that are made later, in the place of these, are not ready either.
    await tools.helm(["install", ...given, ...unreadyPods]);
    for (const pod of await running(namespace, 4)) await setReady(kube, pod, true);
  });

  it("run on the nodes that are meant for them, one on each, and the app on others", async () => {
    const nodesOf = async (component: string) =>
      (await podsIn(kube, namespace, component)).map(({ spec }) => String(spec.nodeName)).toSorted();
    expect(await nodesOf("rotator")).toEqual(["egress-one", "egress-two"]);
    for (const node of await nodesOf("app")) expect(node).toMatch(/^node-/);
  });

  /** What becomes of the wish to have that pod away, as `kubectl drain` utters it. */
  async function evict({ metadata: { name } }: KubeObject): Promise<[number, unknown]> {
    const { status, json } = await kube.admin("POST", `${core}/pods/${name}/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name, namespace },
    });
    return [status, Object(json).message];
  }
  /** Waits until the budget's controller has seen how many are ready. */
  async function counted(currentHealthy: number): Promise<void> {
    const [{ metadata }] = await itemsOf(
      kube,
      `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    );
    const path = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/${metadata.name}`;
    await expect
      .poll(async () => Object((await kube.admin("GET", path)).json).status, { timeout: 30_000 })
      .toMatchObject({ currentHealthy, desiredHealthy: 1 });
  }

  it("are drained one at a time, and those that are not ready keep no node from it", async () => {
    const [first, second] = await rotators(2);
    await counted(2);
    expect(await evict(first)).toEqual([201, undefined]);
    const replaced = (await rotators(2)).find(({ metadata }) => metadata.name !== second.metadata.name);
    await counted(1);
    expect(await evict(second)).toEqual([429, expect.stringContaining("disruption budget")]);
    await setReady(kube, second, false);
    await counted(0);
    // Both wait for their account, say.
    for (const pod of [second, replaced]) expect(await evict(pod)).toEqual([201, undefined]);
    for (const pod of await rotators(2)) await setReady(kube, pod, true);
    await counted(2);
  });

  it("are replaced one by one by an upgrade, and two are ready all the while", async () => {
    const before = Object((await kube.admin("GET", `${core}/pods`)).json);
    const isRotator = ({ metadata }: KubeObject): boolean =>
      metadata.labels["app.kubernetes.io/component"] === "rotator";
    const ready = new Set<string>();
    const see = (pod: KubeObject, isThere: boolean): number => {
      if (isThere && isReady(pod)) ready.add(pod.metadata.name);
      else ready.delete(pod.metadata.name);
      return ready.size;
    };
    for (const pod of before.items.filter(isRotator)) see(pod, true);
    const old = [...ready];
    const set = ["--set", "rotator.env.PRESTO_PROBE_EVERY=61s"];
    await install(tools, namespace, [...valuesOf("kubernetes-values.yaml"), ...set], "upgrade");

    // All that happened since, and a second more.
    const watch = `watch=1&resourceVersion=${before.metadata.resourceVersion}&timeoutSeconds=1`;
    const { out } = await tools.kubectl(["get", "--raw", `${core}/pods?${watch}`]);
    const events: KubeObject[] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const counts = events
      .filter(({ object }) => isRotator(object))
      .map(({ type, object }) => see(object, type !== "DELETED"));
    expect([old.length, Math.min(...counts), Math.max(...counts), ready.size]).toEqual([2, 2, 3, 2]);
    expect(old.filter((name) => ready.has(name))).toEqual([]);
  });
});

describe("a Deployment whose pods ask for the sidecar", () => {
  const namespace = "asking";
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  beforeAll(async () => {
    await makeLabelled(kube, namespace);
    await applyPolicies(kube, renderPolicies("asked", fleetValues), namespace);
  });

  it("gets ready with it, and tells of a pod that is refused while the others go on", async () => {
    const { metadata, spec } = newPod();
    const labels = { app: "wallet" };
    const template = { metadata: { labels, annotations: metadata.annotations }, spec };
    const deployment = {
      metadata: { name: "wallet" },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    };
    expect((await kube.admin("POST", path, deployment)).status).toBe(201);
    const status = ["rollout", "status", "deployment/wallet", "--namespace", namespace, "--timeout=60s"];
    expect(await tools.kubectl(status)).toMatchObject({ code: 0 });
    const wallets = () => itemsOf(kube, `/api/v1/namespaces/${namespace}/pods?labelSelector=app=wallet`);
    const pods = await wallets();
    expect(pods.map((pod) => [isWith(pod), isReady(pod)])).toEqual([
      [true, true],
      [true, true],
    ]);

    const annotations = { "presto-sidecar/unknown": "1" };
    await kube.admin("PATCH", `${path}/wallet`, { spec: { template: { metadata: { annotations } } } });
    const said = async (): Promise<unknown> => {
      const { status: is } = Object((await kube.admin("GET", `${path}/wallet`)).json);
      return is.conditions.find(({ type }: KubeObject) => type === "ReplicaFailure")?.message;
    };
    await expect.poll(said, { timeout: 30_000 }).toContain("presto-sidecar/unknown");
    expect((await wallets()).filter(isReady).map(({ metadata: { name } }) => name)).toEqual(
      pods.map(({ metadata: { name } }) => name),
    );
  });
});
