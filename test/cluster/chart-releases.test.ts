import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { chartFolder, type KubeObject } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import { type StandIn, standInForControllers } from "./kube/controllers.ts";
import { install, type KubeTools, kubeTools, valuesOf } from "./kube/helm.ts";
import { makeRestricted } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

// What becomes of a release of the chart: who waits for it, and how it is upgraded, by Helm 3 and 4.

let kube: KubeServer;
let tools: KubeTools;
let standIn: StandIn;

beforeAll(async () => {
  kube = await startKubeServer();
  tools = kubeTools(kube);
  standIn = standInForControllers(kube);
  // That of the token which follower-values.yaml names.
  await makeRestricted(kube, "payments");
});
afterAll(async () => {
  await standIn.end();
  await kube.close();
});

describe.each<["helm3" | "helm", RegExp]>([
  ["helm3", /INSTALLATION FAILED: .*context deadline exceeded/],
  ["helm", /INSTALLATION FAILED: resource Deployment\/\S+ not ready\. status: /],
])("%s install --wait", (helm, says) => {
  /** Installs an app and rotators where no Deployment gets ready. */
  async function begin(release: string, waiting: readonly string[]) {
    await makeRestricted(kube, release);
    standIn.heldBack.add(release);
    const given = [release, chartFolder, `--namespace=${release}`, ...valuesOf("kubernetes-values.yaml")];
    return tools[helm](["install", ...given, ...waiting]);
  }
  async function deploymentsOf(release: string): Promise<KubeObject[]> {
    return Object((await kube.admin("GET", `/apis/apps/v1/namespaces/${release}/deployments`)).json).items;
  }

  it("comes back when every Deployment is ready, and not before", async () => {
    const order: string[] = [];
    const waiting = `${helm}-waits`;
    const ended = begin(waiting, ["--wait", "--timeout=60s"]).then((end) => {
      order.push("who waits comes back");
      return end;
    });
    await until(async () => ((await deploymentsOf(waiting)).length === 2 ? true : undefined), {
      withinMs: 30_000,
      everyMs: 100,
      what: "both Deployments are made",
    });
    // As long as it takes Helm to do all but wait.
    const hasty = `${helm}-does-not-wait`;
    expect(await begin(hasty, [])).toMatchObject({ code: 0 });
    order.push("who does not wait comes back");
    for (const { status } of await deploymentsOf(hasty)) expect(status).toEqual({});
    order.push("the Deployments get ready");
    standIn.heldBack.delete(waiting);
    expect(await ended).toMatchObject({ code: 0 });
    expect(order).toEqual([
      "who does not wait comes back",
      "the Deployments get ready",
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
    expect(Object(json).spec.replicas).toBe(3);
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
  });
});
