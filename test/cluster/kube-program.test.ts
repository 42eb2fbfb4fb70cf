import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { askForNone } from "../support/ask.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { writeKubeconfig } from "./kube/client.ts";
import { grant, makeNamespace, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { type Relay, startRelay } from "./relay.ts";

// The built program over a real API server: what it does when the network, its rights or its way of logging in fail.

const namespace = "program";
let kube: KubeServer;
let sandbox: Sandbox;
let relay: Relay;
let stage: ProgramStage;
let name: string;
let serial = 0;

beforeAll(async () => {
  [kube, sandbox] = [await startKubeServer(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
  await sandbox.start();
  await makeNamespace(kube, namespace);
});
afterAll(async () => {
  await sandbox.close();
  await kube.close();
});
beforeEach(async () => {
  serial += 1;
  name = `token-${serial}`;
  stage = await openProgramStage(sandbox, { PRESTO_STORE: `kubernetes:${namespace}/${name}` });
  await makeSecret(kube, namespace, name);
  relay = await startRelay([Number(kube.port)]);
});
afterEach(async () => {
  await stage.close();
  await relay.close();
});

function start(kubeconfig: string): void {
  stage.start({ KUBECONFIG: kubeconfig });
}

function importAs(kubeconfig: string, token: string) {
  return stage.run(["token", "import"], { KUBECONFIG: kubeconfig, HOME: stage.folder }, token);
}

async function importToken(token: string): Promise<void> {
  const { code, err } = await importAs(kube.kubeconfig, token);
  expect([code, err]).toEqual([0, expect.not.stringContaining(token)]);
}

/** A service account that may get and watch the Secret, by way of the relay. */
async function asProxy(): Promise<string> {
  const token = await grant(kube, { namespace, account: name, secret: name, verbs: ["get", "watch"] });
  return writeKubeconfig(kube, { name, user: { token }, port: relay.port });
}

it("with every connection frozen no call fails: the first 401 has the store read over a new one", async () => {
  await importToken(sandbox.token);
  start(await asProxy());
  await stage.ready();
  expect(await askForNone(stage.at("proxy"))).toBe(404);
  relay.freeze();
  await importToken(sandbox.mintToken().token);
  const calls = await Promise.all(Array.from({ length: 20 }, () => askForNone(stage.at("proxy"))));
  expect(new Set(calls)).toEqual(new Set([404]));
  expect(await stage.status()).toMatchObject({ generation: 2 });
});

it("rights that are taken away and given back: the token in hand serves, and the next is followed", async () => {
  await importToken(sandbox.token);
  const kubeconfig = await asProxy();
  start(kubeconfig);
  await stage.ready();
  const binding = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings/${name}`;
  const { json } = await kube.admin("GET", binding);
  await kube.admin("DELETE", binding);
  relay.cut();
  await importToken("another-token");
  // Longer than a poll: what is refused is no news of the record.
  await new Promise((resolve) => {
    setTimeout(resolve, 8_000);
  });
  expect(await askForNone(stage.at("proxy"))).toBe(404);
  expect(await stage.status()).toMatchObject({ generation: 1 });
  const again = { ...Object(json), metadata: { name, namespace } };
  await kube.admin("POST", binding.replace(/\/[^/]+$/, ""), again);
  await until(async () => ((await stage.status())["generation"] === 2 ? true : undefined), {
    ...patience,
    what: "the next token is in hand",
  });
});

it("without rights it is up and says which lines grant them; with them it gets ready by itself", async () => {
  await importToken(sandbox.token);
  const account = `late-${serial}`;
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await kube.admin("POST", accounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: account },
  });
  const token = await kube.tokenFor(namespace, account);
  start(await writeKubeconfig(kube, { name: account, user: { token }, port: relay.port }));
  const told = await stage.readinessSays("kubectl create role");
  expect(told).toContain(`--verb=get --resource=secrets --resource-name=${name}`);
  const metadata = { name: account, namespace };
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await kube.admin("POST", `${rbac}/roles`, {
    metadata,
    rules: [{ apiGroups: [""], resources: ["secrets"], resourceNames: [name], verbs: ["get", "watch"] }],
  });
  await kube.admin("POST", `${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: account },
    subjects: [{ kind: "ServiceAccount", name: account, namespace }],
  });
  await stage.ready();
  expect(await askForNone(stage.at("proxy"))).toBe(404);
});

it("from a laptop: a program that gives credentials, a client certificate, a token in a file", async () => {
  const plugin = stage.at("plugin");
  const status = { token: kube.adminToken };
  const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status };
  await writeFile(
    plugin,
    `#!/bin/sh\necho run >> ${stage.at("runs")}\necho '${JSON.stringify(credential)}'\n`,
  );
  await chmod(plugin, 0o755);
  const { certPem, keyPem } = await kube.certificateFor("admin");
  await writeFile(join(kube.folder, "jane.crt"), certPem);
  await writeFile(join(kube.folder, "jane.key"), keyPem);
  await writeFile(join(kube.folder, "jane.token"), `${kube.adminToken}\n`);
  await kube.admin("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "jane" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "admin" }],
  });
  const users = {
    plugin: {
      exec: {
        apiVersion: "client.authentication.k8s.io/v1",
        command: plugin,
        interactiveMode: "IfAvailable",
      },
    },
    certificate: { "client-certificate": "jane.crt", "client-key": "jane.key" },
    file: { tokenFile: "jane.token" },
  };
  for (const [which, user] of Object.entries(users)) {
    const kubeconfig = await writeKubeconfig(kube, { name: which, user });
    await until(
      async () => {
        const { code } = await importAs(kubeconfig, sandbox.token);
        return code === 0 ? true : undefined;
      },
      { withinMs: 60_000, everyMs: 500, what: `an import by ${which}` },
    );
  }
});
