import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { type CliResult, runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { refuse, type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

/** A busy machine starts a process in seconds. */
const patience = { withinMs: 20_000, everyMs: 20 };

describe("the built program over a Kubernetes Secret", () => {
  let api: StandInApi;
  let sandbox: Sandbox;
  let folder: string;
  let sidecar: RunningCli | undefined;
  beforeAll(async () => {
    [api, sandbox] = [await startStandInApi(), createSandbox()];
    await sandbox.start();
  });
  afterAll(async () => {
    await sandbox.close();
    await api.close();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "kubernetes-"));
    await writeFile(join(folder, "ca.pem"), sandbox.caPem);
    await writeFile(join(folder, "kubeconfig"), api.kubeconfig());
    api.put("token", { other: "eA==" });
  });
  afterEach(async () => {
    api.override = undefined;
    api.remove("token");
    sidecar?.child.kill("SIGKILL");
    await sidecar?.ended;
    await rm(folder, { recursive: true });
  });

  function environment(): Record<string, string> {
    return {
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_STORE: "kubernetes:presto/token",
      PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
      KUBECONFIG: join(folder, "kubeconfig"),
      // None of it is the way to a store.
      HTTPS_PROXY: "http://127.0.0.1:1",
    };
  }

  function run(argv: readonly string[], stdin = ""): Promise<CliResult> {
    return runCli(argv, { env: environment(), stdin });
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

  async function readyz(expected: RegExp): Promise<void> {
    await until(
      async () => (expected.test((await ask("admin", "/readyz?verbose")).text) ? true : undefined),
      {
        ...patience,
        what: () => `${expected} in readyz: ${sidecar?.out()}${sidecar?.err()}`,
      },
    );
  }

  it("is ready as soon as a token is imported, follows the next one, and serves on while the API server refuses", async () => {
    sidecar = startCli(["start"], { env: environment() });
    await readyz(/\[-\]token/);
    expect(await run(["token", "import"], sandbox.token)).toMatchObject({ code: 0 });
    await readyz(/\[\+\]token/);
    const call = "/api/institutions/v1/wallet/transaction/TRX000000000";
    expect((await ask("proxy", call)).status).toBe(404);

    await run(["token", "import"], "another-token");
    await until(
      async () => ((await ask("admin", "/status")).text.includes('"generation":2') ? true : undefined),
      {
        ...patience,
        what: "generation 2",
      },
    );
    await run(["token", "import"], sandbox.token);
    await until(
      async () => ((await ask("admin", "/status")).text.includes('"generation":3') ? true : undefined),
      {
        ...patience,
        what: "generation 3",
      },
    );
    api.override = (_, response) => {
      refuse(response, 500, "InternalError");
      return true;
    };
    api.endWatches("cut");
    expect((await ask("proxy", call)).status).toBe(404);
    expect(api.secret("token")?.data).toMatchObject({ other: "eA==" });
    expect(api.seen.filter(({ authorization }) => authorization !== "Bearer MARKED-token")).toEqual([]);
    expect(sidecar.out() + sidecar.err()).not.toContain("MARKED");
  });

  it("runs a kubeconfig's program once for a command, for store, account and lock together", async () => {
    const plugin = join(folder, "plugin");
    const given = { kind: "ExecCredential", status: { token: "MARKED-token" } };
    await writeFile(plugin, `#!/bin/sh\necho run >> ${folder}/runs\necho '${JSON.stringify(given)}'\n`);
    await chmod(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
    await writeFile(join(folder, "kubeconfig"), api.kubeconfig({ exec }));
    api.put("account", {});
    const account = { email: "sidecar@institution.example", password: "MARKED-p4ss" };
    const imported = await runCli(["credentials", "import"], {
      env: { ...environment(), PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: "kubernetes:presto/account" },
      stdin: JSON.stringify(account),
    });
    api.remove("account");
    expect([imported.code, imported.err]).toEqual([0, ""]);
    expect(await readFile(join(folder, "runs"), "utf8")).toBe("run\n");
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
