import { readFile, writeFile } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runCli } from "../support/built-cli.ts";
import { freePorts } from "../support/free-ports.ts";
import type { KubeObject } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";
import { canRender, fleetValues, newPod, startInjecting, storedPod } from "./kube/injection.ts";
import { runSidecar, type RunningContainer, whatKubeletLacks } from "./kube/kubelet.ts";
import { grant, makeSecret } from "./kube/namespace.ts";
import type { KubeServer } from "./kube/server.ts";

// The injected container as it would run: the built program, from what stands in the stored pod and nothing else.

const patience = { withinMs: 60_000, everyMs: 50 };

describe.skipIf(!canRender() || whatKubeletLacks() !== undefined)("an injected sidecar, running", () => {
  let kube: KubeServer;
  let sandbox: Sandbox;
  let pod: KubeObject;
  let sidecar: RunningContainer;
  let admin: string;
  beforeAll(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    const [port, adminPort] = await freePorts(2);
    admin = `http://127.0.0.1:${adminPort}`;
    kube = await startInjecting({
      ...fleetValues,
      url: sandbox.url,
      ca: { configMapName: "presto-ca" },
      port,
      admin: { port: adminPort },
    });
    await writeFile(`${kube.folder}/presto-ca.pem`, sandbox.caPem);
    await grant(kube, {
      namespace: "payments",
      account: "payer",
      secret: "presto-token",
      verbs: ["get", "watch"],
    });
    await makeSecret(kube, "payments", "presto-token");
    const key = Buffer.from(Buffer.alloc(32, 7).toString("base64")).toString("base64");
    await makeSecret(kube, "payments", "presto-key", { data: { key } });
    for (const [name, text] of [
      ["kube-root-ca.crt", kube.ca],
      ["presto-ca", sandbox.caPem],
    ] as const)
      await kube.admin("POST", "/api/v1/namespaces/payments/configmaps", {
        metadata: { name },
        data: { "ca.crt": text },
      });
    await issue();
    pod = await storedPod(
      kube,
      "payments",
      newPod((bare) => (bare.spec.serviceAccountName = "payer")),
    );
    sidecar = await runSidecar(kube, pod);
  });
  afterAll(async () => {
    await sidecar.remove();
    await sandbox.close();
    await kube.close();
  });

  /** As an operator's laptop does it; what lived before is dead then. */
  async function issue(): Promise<void> {
    const { code, err } = await runCli(["token", "issue", "--yes"], {
      env: {
        KUBECONFIG: kube.kubeconfig,
        PRESTO_ROLE: "rotator",
        PRESTO_URL: sandbox.url,
        PRESTO_CA_FILE: `${kube.folder}/presto-ca.pem`,
        PRESTO_STORE: "kubernetes:payments/presto-token",
        PRESTO_STORE_KEY: Buffer.alloc(32, 7).toString("base64"),
        PRESTO_EMAIL: sandbox.account.email,
        PRESTO_PASSWORD: sandbox.account.password,
        PRESTO_ADMIN_LISTEN: "127.0.0.1:1",
        PRESTO_CONTROL_LISTEN: "off",
      },
    });
    expect([code, err]).toEqual([0, expect.any(String)]);
  }
  /** What the app is answered, by the address that it was given: 404 is Presto's own answer to a token that lives. */
  async function callOfApp(): Promise<number> {
    const { value } = pod.spec.containers[0].env.find(({ name }: KubeObject) => name === "WALLET_API_URL");
    return (await fetch(`${value}${walletPaths.transaction}/TRX000000000`)).status;
  }
  async function generation(): Promise<unknown> {
    return Object(await (await fetch(`${admin}/status`)).json()).generation;
  }
  const probe = async (name: "startupProbe" | "readinessProbe" | "livenessProbe"): Promise<number> => {
    const { path, port } = pod.spec.initContainers[0][name].httpGet;
    expect(port).toBe("presto-admin");
    return fetch(`${admin}${path}`).then(
      ({ status }) => status,
      () => 0,
    );
  };

  it("is ready by its probes, and serves the app with the record that its service account may read", async () => {
    await until(async () => ((await probe("readinessProbe")) === 200 ? true : undefined), {
      ...patience,
      what: () => `the sidecar is ready: ${sidecar.out()}${sidecar.err()}`,
    });
    expect([await probe("startupProbe"), await probe("livenessProbe")]).toEqual([200, 200]);
    expect([await callOfApp(), await generation()]).toEqual([404, 1]);
    // As the user that the pod says, and no other.
    expect(await readFile(`/proc/${sidecar.child.pid}/status`, "utf8")).toMatch(/^Uid:(\s65532){4}$/m);
  });

  it("follows a renewal, after which the token before is dead", async () => {
    await issue();
    await until(async () => ((await generation()) === 2 ? true : undefined), {
      ...patience,
      what: "the second generation",
    });
    expect(await callOfApp()).toBe(404);
    expect(sandbox.received().at(-1)?.rawHeaders.includes(`Bearer ${sandbox.token}`)).toBe(true);
  });

  it("is asked by kubectl exec over its socket, which no other container has", async () => {
    const { code, out, err } = await sidecar.exec(["outcomes", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({ open: [] });
    const { volumeMounts = [] } = pod.spec.containers[0];
    expect(volumeMounts).toEqual([]);
  });

  it("stays alive for kubelet until it ends, and ends by SIGTERM alone, with 0", async () => {
    sidecar.child.kill("SIGTERM");
    let lastAlive = 200;
    void (async () => {
      while (lastAlive === 200) lastAlive = await probe("livenessProbe");
    })();
    expect(await sidecar.ended).toBe(0);
    // Never anything but 200, or no more answer at all.
    await until(() => (lastAlive === 200 ? undefined : true), { ...patience, what: "it is gone" });
    expect(lastAlive).toBe(0);
  });
});
