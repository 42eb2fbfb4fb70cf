import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { type CliResult, runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { until } from "../support/until.ts";
import { grant, makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

/** A busy machine starts a process in seconds. */
const patience = { withinMs: 30_000, everyMs: 20 };

describe("the built program and a real API server", () => {
  let kube: KubeServer;
  let sandbox: Sandbox;
  let folder: string;
  let name: string;
  let serial = 0;
  let running: RunningCli[];
  beforeAll(async () => {
    [kube, sandbox] = [await startKubeServer(), createSandbox()];
    await sandbox.start();
    await makeNamespace(kube, "presto");
  });
  afterAll(async () => {
    await sandbox.close();
    await kube.close();
  });
  beforeEach(async () => {
    serial += 1;
    name = `token-${serial}`;
    running = [];
    folder = await mkdtemp(join(tmpdir(), "kube-sidecar-"));
    await writeFile(join(folder, "ca.pem"), sandbox.caPem);
    await writeFile(join(folder, "cluster.crt"), kube.ca);
    await makeSecret(kube, "presto", name, {
      metadata: { name, namespace: "presto", labels: { team: "money" } },
      data: { other: "eA==" },
    });
    const token = await grant(kube, {
      namespace: "presto",
      account: `proxy-${serial}`,
      secret: name,
      verbs: ["get", "watch"],
    });
    await writeFile(join(folder, "proxy-token"), token);
    await writeFile(
      join(folder, "proxy.kubeconfig"),
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: kube.url, "certificate-authority": "cluster.crt" } }],
        users: [{ name: "u", user: { tokenFile: "proxy-token" } }],
      }),
    );
  });
  afterEach(async () => {
    for (const { child, ended } of running) {
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true });
  });

  function environment(kubeconfig: string): Record<string, string> {
    return {
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_STORE: `kubernetes:presto/${name}`,
      PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
      KUBECONFIG: kubeconfig,
    };
  }

  function start(): RunningCli {
    const sidecar = startCli(["start"], { env: environment(join(folder, "proxy.kubeconfig")) });
    running.push(sidecar);
    return sidecar;
  }

  function asOperator(argv: readonly string[], stdin = ""): Promise<CliResult> {
    return runCli(argv, { env: environment(kube.kubeconfig), stdin });
  }

  async function importToken(token: string): Promise<void> {
    const { code, err } = await asOperator(["token", "import", "--name", "by-hand"], token);
    expect([code, err]).toEqual([0, expect.not.stringContaining(token)]);
  }

  function ask(socket: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve) => {
      const asked = request({ socketPath: join(folder, socket), path, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      asked.once("error", () => resolve({ status: 0, text: "" }));
      asked.end();
    });
  }

  const call = async (): Promise<number> =>
    (await ask("proxy", "/api/institutions/v1/wallet/transaction/TRX000000000")).status;

  async function readiness(): Promise<string> {
    return (await ask("admin", "/readyz?verbose")).text;
  }

  async function ready(): Promise<void> {
    await until(async () => ((await ask("admin", "/readyz")).status === 200 ? true : undefined), {
      ...patience,
      what: () => `the sidecar is ready: ${running.map(({ out, err }) => out() + err()).join("")}`,
    });
  }

  async function generation(): Promise<number | undefined> {
    const { text } = await ask("admin", "/status");
    const status: unknown = text === "" ? undefined : JSON.parse(text);
    const found: unknown = Object(status).generation;
    return typeof found === "number" ? found : undefined;
  }

  async function untilGeneration(wanted: number, withinMs: number): Promise<void> {
    await until(async () => ((await generation()) === wanted ? true : undefined), {
      withinMs,
      everyMs: 5,
      what: `generation ${wanted}`,
    });
  }

  it("serves with the right to get and watch alone, and follows a token that is imported, at once", async () => {
    start();
    await until(async () => ((await readiness()).includes("no token yet") ? true : undefined), {
      ...patience,
      what: "it says that there is no token",
    });
    await importToken(sandbox.token);
    await ready();
    expect(await call()).toBe(404);
    const shown = JSON.parse((await asOperator(["token", "show", "--json"])).out);
    expect(shown).toMatchObject({ generation: 1, name: "by-hand" });

    await importToken("another-token");
    await untilGeneration(2, 2_000);
    const { json } = await kube.admin("GET", `/api/v1/namespaces/presto/secrets/${name}`);
    expect(json).toMatchObject({ metadata: { labels: { team: "money" } }, data: { other: "eA==" } });
  });

  it("goes on serving while the API server is away, and follows again when it is back", async () => {
    await importToken(sandbox.token);
    start();
    await ready();
    await kube.stopApi();
    expect(await call()).toBe(404);
    expect(await call()).toBe(404);
    const refused = await asOperator(["token", "show"]);
    expect([refused.code, refused.err]).toEqual([
      69,
      expect.stringContaining("can't be asked: connection refused"),
    ]);
    await kube.startApi();
    await importToken("another-token");
    await untilGeneration(2, 15_000);
    await importToken(sandbox.token);
    // The watch is back by now, or comes back within seconds.
    await untilGeneration(3, 15_000);
    expect(await call()).toBe(404);
  });

  it("starts while the API server is away, says so, and is ready soon after it is back", async () => {
    await importToken(sandbox.token);
    await kube.stopApi();
    const sidecar = start();
    await until(async () => ((await readiness()).includes("can't be asked") ? true : undefined), {
      ...patience,
      what: () => `it says that the API server is away: ${sidecar.out()}${sidecar.err()}`,
    });
    await kube.startApi();
    const startedAt = performance.now();
    await ready();
    const tookMs = performance.now() - startedAt;
    process.stderr.write(`ready ${Math.round(tookMs)} ms after the API server\n`);
    expect(tookMs).toBeLessThan(5_000);
    expect(await call()).toBe(404);
  });

  it("is up and not ready over bytes that are no record, and overwrites nothing", async () => {
    await kube.admin("PATCH", `/api/v1/namespaces/presto/secrets/${name}`, {
      data: { record: Buffer.from("MARKED nonsense").toString("base64") },
    });
    start();
    const told = await until(
      async () => {
        const text = await readiness();
        return text.includes("[-]") || text.includes("token") ? text : undefined;
      },
      { ...patience, what: "it says why" },
    );
    expect(told).not.toContain("MARKED");
    const { code, err } = await asOperator(["token", "import"], "another-token");
    expect(code).not.toBe(0);
    expect(err).not.toContain("MARKED");
    const { json } = await kube.admin("GET", `/api/v1/namespaces/presto/secrets/${name}`);
    expect(json).toMatchObject({ data: { record: Buffer.from("MARKED nonsense").toString("base64") } });
    expect(running[0]?.child.exitCode).toBeNull();
  });

  it("ends a command without rights with 77", async () => {
    const mine = environment(join(folder, "proxy.kubeconfig"));
    const denied = await until(
      async () => {
        const result = await runCli(["token", "import"], { env: mine, stdin: "a-token" });
        return result.err.includes("to get it") ? result : undefined;
      },
      { ...patience, what: "the import is denied" },
    );
    expect(denied.code).toBe(77);
    expect(denied.err).toContain(
      `kubectl create role ${name}-lease-get -n presto --verb=get --resource=leases.coordination.k8s.io --resource-name=${name} &&`,
    );
  });
});
