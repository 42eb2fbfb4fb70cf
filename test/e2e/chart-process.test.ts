import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { ask } from "../support/ask.ts";
import { builtMain, type CliOptions, runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { freePorts } from "../support/free-ports.ts";
import {
  environmentOf,
  hasKubeTools,
  type KubeObject,
  podOf,
  renderChart,
  sidecarOf,
} from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";

// The built program run as the chart's pod would run it: its arguments and its environment, with the pod's address on
// loopback and its mounts in a folder of this machine.

const patience = { withinMs: 60_000, everyMs: 20 };
const mounts = "/var/run/presto-sidecar";

/** As OpenShift has it: a number that no user has, and the group of root. */
const asAnybody = {
  node: "setpriv",
  nodeArgs: ["--reuid=1000650000", "--regid=0", "--clear-groups", "--bounding-set=-all", process.execPath],
};
const runsAsAnybody = spawnSync(asAnybody.node, [...asAnybody.nodeArgs, builtMain, "help"]).status === 0;

describe.skipIf(!hasKubeTools)("the program in the chart's pod", () => {
  let sandbox: Sandbox;
  let folder: string;
  let ports: readonly number[];
  let running: RunningCli | undefined;
  beforeAll(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    ports = await freePorts(2);
  });
  afterAll(() => sandbox.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "chart-pod-"));
  });
  afterEach(async () => {
    running?.child.kill("SIGKILL");
    await running?.ended;
    await rm(folder, { recursive: true });
  });

  function render(values: object = {}): KubeObject[] {
    const [port, admin] = ports;
    return renderChart({
      url: sandbox.url,
      port,
      admin: { port: admin },
      ca: { configMapName: "ca" },
      ...values,
    });
  }

  /** As kubelet would give it, but for where things are mounted. */
  function environment(container: KubeObject): Record<string, string> {
    const entries = Object.entries(environmentOf(container, "127.0.0.1"));
    return Object.fromEntries(entries.map(([name, value]) => [name, value.replaceAll(mounts, folder)]));
  }

  async function start(
    objects: KubeObject[],
    how: Pick<CliOptions, "node" | "nodeArgs"> = {},
  ): Promise<Record<string, string>> {
    const sidecar = sidecarOf(objects);
    for (const volume of podOf(objects).volumes) {
      const place = sidecar.volumeMounts.find(({ name }: KubeObject) => name === volume.name).mountPath;
      const at = place.replace(mounts, folder);
      await mkdir(at, { recursive: true });
      // As kubelet makes an emptyDir.
      if (volume.emptyDir !== undefined) await chmod(at, 0o777);
      const mode = (volume.secret ?? {}).defaultMode ?? 0o644;
      for (const { path } of (volume.secret ?? volume.configMap)?.items ?? [])
        await writeFile(join(at, path), path === "token" ? sandbox.token : sandbox.caPem, { mode });
    }
    const env = environment(sidecar);
    running = startCli(sidecar.args, { ...how, env });
    await until(async () => ((await runCli(["healthcheck"], { env })).code === 0 ? true : undefined), {
      ...patience,
      what: () => `it is ready: ${running?.out()}${running?.err()}`,
    });
    return env;
  }

  const socket = () => join(folder, "control", "control.sock");

  it("serves both loopbacks, and is asked by kubectl exec over a socket that no other user opens", async () => {
    const env = await start(render());
    const hasIpv6 = networkInterfaces()["lo"]?.some(({ family }) => family === "IPv6") ?? false;
    for (const host of ["127.0.0.1", ...(hasIpv6 ? ["::1"] : [])])
      expect([host, await statusAt(host, ports[0] ?? 0)]).toEqual([host, 404]);
    expect((await stat(socket())).mode & 0o777).toBe(0o600);
    const list = await runCli(["outcomes"], { env });
    expect([list.code, list.out]).toEqual([0, "No call that moves money has an open end.\n"]);
    expect(await runCli(["status"], { env })).toMatchObject({ code: 0 });
    // A proxy can't renew, and says so; whoever asks has been understood.
    expect(await runCli(["token", "renew"], { env })).toMatchObject({ code: 77 });
    expect(await runCli(["drain"], { env })).toMatchObject({ code: 0, err: "" });
    expect(await statusAt("127.0.0.1", ports[0] ?? 0)).toBe(503);
    expect(running?.child.exitCode).toBeNull();
  });

  it.skipIf(!runsAsAnybody)(
    "runs as a user of the cluster's choice, in group 0, without HOME or a name",
    async () => {
      await chmod(folder, 0o755);
      await start(render({ platform: "openshift" }), asAnybody);
      const { uid, gid } = await stat(socket());
      expect([uid, gid]).toEqual([1_000_650_000, 0]);
      expect(await statusAt("127.0.0.1", ports[0] ?? 0)).toBe(404);
    },
  );

  it("is ended by the app of a Job, where the socket is shared with it", async () => {
    await start(render({ control: { shareWithApp: true } }));
    expect((await stat(socket())).mode & 0o777).toBe(0o660);
    expect((await ask(socket(), "/quit", "POST")).status).toBe(200);
    expect(await running?.ended).toBe(0);
  });

  it("is found ready by the pod of helm test, which else tells why it is not", async () => {
    const objects = render();
    const test = objects.find(({ kind, metadata }) => kind === "Pod" && metadata.name.endsWith("-test"));
    const [container] = test.spec.containers;
    const { PRESTO_ADMIN_LISTEN: named = "" } = environment(container);
    expect(named).toBe(`example-presto-sidecar-app-admin.default.svc:${ports[1]}`);
    // No resolver of a cluster's is at hand.
    const env = { PRESTO_ADMIN_LISTEN: named.replace(/^[^:]*/, "127.0.0.1") };
    const before = await runCli(["wait", "--timeout", "200ms"], { env });
    expect([before.code, before.err]).toEqual([75, expect.stringContaining("Not ready within 200ms")]);
    await start(objects);
    expect(container.args[0]).toBe("wait");
    expect(await runCli(container.args, { env })).toMatchObject({ code: 0 });
  });
});

/** What an app is told that asks for a transaction which there is none of. */
async function statusAt(host: string, port: number): Promise<number> {
  const sent = request({ host, port, path: `${walletPaths.transaction}/TRX000000000`, agent: false });
  sent.end();
  const [response] = await once(sent, "response");
  response.resume();
  return response.statusCode;
}
