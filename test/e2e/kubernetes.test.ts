import { chmod, readFile, writeFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { askForNone } from "../support/ask.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { refuse, type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

describe("the built program over a Kubernetes Secret", () => {
  let api: StandInApi;
  let sandbox: Sandbox;
  let stage: ProgramStage;
  beforeAll(async () => {
    [api, sandbox] = [await startStandInApi(), createSandbox()];
    await sandbox.start();
  });
  afterAll(async () => {
    await sandbox.close();
    await api.close();
  });
  beforeEach(async () => {
    stage = await openProgramStage(sandbox, {
      PRESTO_STORE: "kubernetes:presto/token",
      // None of it is the way to a store.
      HTTPS_PROXY: "http://127.0.0.1:1",
    });
    await writeFile(stage.at("kubeconfig"), api.kubeconfig());
    api.put("token", { other: "eA==" });
  });
  afterEach(async () => {
    api.override = undefined;
    api.remove("token");
    await stage.close();
  });

  const cluster = () => ({ KUBECONFIG: stage.at("kubeconfig") });
  const run = (argv: readonly string[], stdin = "") => stage.run(argv, cluster(), stdin);

  async function untilGeneration(generation: number): Promise<void> {
    await until(async () => ((await stage.status())["generation"] === generation ? true : undefined), {
      ...patience,
      what: `generation ${generation}`,
    });
  }

  it("is ready as soon as a token is imported, follows the next one, and serves on while the API server refuses", async () => {
    stage.start(cluster());
    await stage.readinessSays("[-]token");
    expect(await run(["token", "import"], sandbox.token)).toMatchObject({ code: 0 });
    await stage.ready();
    expect(await askForNone(stage.at("proxy"))).toBe(404);

    await run(["token", "import"], "another-token");
    await untilGeneration(2);
    await run(["token", "import"], sandbox.token);
    await untilGeneration(3);
    api.override = (_, response) => {
      refuse(response, 500, "InternalError");
      return true;
    };
    api.endWatches("cut");
    expect(await askForNone(stage.at("proxy"))).toBe(404);
    expect(api.secret("token")?.data).toMatchObject({ other: "eA==" });
    expect(api.seen.filter(({ authorization }) => authorization !== "Bearer MARKED-token")).toEqual([]);
    expect(stage.output()).not.toContain("MARKED");
  });

  it("runs a kubeconfig's program once for a command, for store, account and lock together", async () => {
    const plugin = stage.at("plugin");
    const given = { kind: "ExecCredential", status: { token: "MARKED-token" } };
    await writeFile(plugin, `#!/bin/sh\necho run >> ${stage.at("runs")}\necho '${JSON.stringify(given)}'\n`);
    await chmod(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
    await writeFile(stage.at("kubeconfig"), api.kubeconfig({ exec }));
    api.put("account", {});
    const account = { email: "sidecar@institution.example", password: "MARKED-p4ss" };
    const imported = await stage.run(
      ["credentials", "import"],
      { ...cluster(), PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: "kubernetes:presto/account" },
      JSON.stringify(account),
    );
    api.remove("account");
    expect([imported.code, imported.err]).toEqual([0, ""]);
    expect(await readFile(stage.at("runs"), "utf8")).toBe("run\n");
    expect(api.leases.spec("token")).toMatchObject({ holderIdentity: "" });
  });

  it("shows the token's data, and says which right is missing with exit code 77", async () => {
    await run(["token", "import", "--name", "by-hand"], sandbox.token);
    const shown = await run(["token", "show", "--json"]);
    expect(JSON.parse(shown.out)).toMatchObject({ generation: 1, name: "by-hand" });
    expect(shown.out + shown.err).not.toContain(sandbox.token);
    expect((await run(["doctor"])).out).toContain("The record in the Secret presto/token can be read");
    api.override = (asked, response) => {
      if (asked.method === "GET" || asked.url.pathname.includes("/leases/")) return false;
      refuse(response, 403, "Forbidden", {}, 'User "jane" cannot update resource "secrets"');
      return true;
    };
    const refused = await run(["token", "import"], "another-token");
    expect(refused.code).toBe(77);
    expect(refused.err).toContain(
      "jane lacks the right to update it. Grant it: kubectl create role token-update",
    );
  });
});
