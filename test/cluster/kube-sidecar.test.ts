import { writeFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { askForNone } from "../support/ask.ts";
import type { CliResult } from "../support/built-cli.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { grant, makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";

describe("the built program and a real API server", () => {
  let kube: KubeServer;
  let sandbox: Sandbox;
  let stage: ProgramStage;
  let name: string;
  let serial = 0;
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
    stage = await openProgramStage(sandbox, { PRESTO_STORE: `kubernetes:presto/${name}` });
    await writeFile(stage.at("cluster.crt"), kube.ca);
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
    await writeFile(stage.at("proxy-token"), token);
    await writeFile(
      stage.at("proxy.kubeconfig"),
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: kube.url, "certificate-authority": "cluster.crt" } }],
        users: [{ name: "u", user: { tokenFile: "proxy-token" } }],
      }),
    );
  });
  afterEach(() => stage.close());

  /** With the right to get and watch the Secret, and no other. */
  const asProxy = () => ({ KUBECONFIG: stage.at("proxy.kubeconfig") });

  function asOperator(argv: readonly string[], stdin = ""): Promise<CliResult> {
    return stage.run(argv, { KUBECONFIG: kube.kubeconfig }, stdin);
  }

  async function importToken(token: string): Promise<void> {
    const { code, err } = await asOperator(["token", "import", "--name", "by-hand"], token);
    expect([code, err]).toEqual([0, expect.not.stringContaining(token)]);
  }

  const call = (): Promise<number> => askForNone(stage.at("proxy"));

  async function untilGeneration(wanted: number, withinMs: number): Promise<void> {
    await until(async () => ((await stage.status())["generation"] === wanted ? true : undefined), {
      withinMs,
      everyMs: 5,
      what: `generation ${wanted}`,
    });
  }

  it("serves with the right to get and watch alone, and follows a token that is imported, at once", async () => {
    stage.start(asProxy());
    await stage.readinessSays("no token yet");
    await importToken(sandbox.token);
    await stage.ready();
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
    stage.start(asProxy());
    await stage.ready();
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
    await untilGeneration(2, 60_000);
    await importToken(sandbox.token);
    // The watch is back by now, or comes back within seconds.
    await untilGeneration(3, 60_000);
    expect(await call()).toBe(404);
  });

  it("starts while the API server is away, says so, and is ready soon after it is back", async () => {
    await importToken(sandbox.token);
    await kube.stopApi();
    stage.start(asProxy());
    await stage.readinessSays("can't be asked");
    await kube.startApi();
    const startedAt = performance.now();
    await stage.ready();
    const tookMs = performance.now() - startedAt;
    process.stderr.write(`ready ${Math.round(tookMs)} ms after the API server\n`);
    expect(tookMs).toBeLessThan(15_000);
    expect(await call()).toBe(404);
  });

  it("is up and not ready over bytes that are no record, and overwrites nothing", async () => {
    await kube.admin("PATCH", `/api/v1/namespaces/presto/secrets/${name}`, {
      data: { record: Buffer.from("MARKED nonsense").toString("base64") },
    });
    const sidecar = stage.start(asProxy());
    const told = await stage.readinessSays("[-]token");
    expect(told).not.toContain("MARKED");
    const { code, err } = await asOperator(["token", "import"], "another-token");
    expect(code).not.toBe(0);
    expect(err).not.toContain("MARKED");
    const { json } = await kube.admin("GET", `/api/v1/namespaces/presto/secrets/${name}`);
    expect(json).toMatchObject({ data: { record: Buffer.from("MARKED nonsense").toString("base64") } });
    expect(sidecar.child.exitCode).toBeNull();
  });

  it("ends a command without rights with 77", async () => {
    const denied = await until(
      async () => {
        const result = await stage.run(["token", "import"], asProxy(), "a-token");
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
