import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runCli } from "../support/built-cli.ts";
import { freePorts } from "../support/free-ports.ts";
import type { KubeObject } from "../support/render-chart.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";
import {
  all,
  annotate,
  app,
  applyPolicies,
  canRender,
  type Change,
  fleetValues,
  makeLabelled,
  newPod,
  refusalOfPod,
  renderPolicies,
  spec,
  storedPod,
} from "./kube/injection.ts";
import { runSidecar, type RunningContainer, whatKubeletLacks } from "./kube/kubelet.ts";
import { grant, makeSecret } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { allow, makeRole } from "./vault/stores.ts";

// The injected container as it would run: the built program, from what stands in the stored pod and nothing else.

const patience = { withinMs: 60_000, everyMs: 50 };
const storeKey = Buffer.alloc(32, 7).toString("base64");
const accountToken = "/var/run/secrets/kubernetes.io/serviceaccount";

let kube: KubeServer;
let bao: BaoServer;
let sandbox: Sandbox;

/** Where the live token is kept, and how a sidecar gets at it. */
interface Home {
  readonly namespace: string;
  readonly isInVault: boolean;
  /** Makes what is there before a pod is. */
  make(namespace: string): Promise<{
    /** The chart's `store`. */
    readonly store: object;
    /** What whoever issues tokens there has in the environment. */
    readonly issuing: Readonly<Record<string, string>>;
    /** What the sidecar must never tell. */
    readonly secret?: string;
  }>;
  readonly change: Change;
  /** Volumes by which it logs in. */
  readonly login: readonly string[];
  /** A Secret that is the sidecar's alone. */
  readonly ownSecret: string;
  /** What the app's container mounts. */
  readonly ofApp: readonly unknown[];
}

const homes: Readonly<Record<string, Home>> = {
  "a Secret, by its service account": {
    namespace: "payments",
    isInVault: false,
    async make(namespace) {
      await grant(kube, { namespace, account: "payer", secret: "presto-token", verbs: ["get", "watch"] });
      await makeSecret(kube, namespace, "presto-token");
      return {
        store: { kind: "kubernetes", kubernetes: { namespace, secretName: "presto-token" } },
        issuing: { KUBECONFIG: kube.kubeconfig, PRESTO_STORE: `kubernetes:${namespace}/presto-token` },
      };
    },
    change: spec({ serviceAccountName: "payer" }),
    login: ["presto-sidecar-api"],
    ownSecret: "presto-token",
    ofApp: [],
  },
  "Vault, by an AppRole": {
    namespace: "approle",
    isInVault: true,
    async make(namespace) {
      await allow(bao, namespace, namespace, ["read"]);
      const login = await makeRole(bao, namespace, namespace);
      if (login.method !== "approle" || login.secretId.kind !== "value") throw new Error("not an AppRole");
      const secret = login.secretId.secret.reveal();
      const data = { id: Buffer.from(secret).toString("base64") };
      await makeSecret(kube, namespace, "vault-wallet", { data });
      const { roleId } = login;
      const auth = { method: "approle", roleId, secretId: { secretName: "vault-wallet", key: "id" } };
      return { ...inVault(namespace, auth), secret };
    },
    change: () => {},
    login: ["presto-sidecar-vault-secret-id"],
    ownSecret: "vault-wallet",
    ofApp: [],
  },
  "Vault, by a token of its service account for Vault alone, while the app has one for the API server": {
    namespace: "by-account",
    isInVault: true,
    async make(namespace) {
      await allow(bao, namespace, namespace, ["read"]);
      await letInByAccount(namespace);
      return inVault(namespace, { role: namespace, audience: "vault" });
    },
    change: all(annotate("automount", "allowed"), spec({ automountServiceAccountToken: undefined })),
    login: ["presto-sidecar-api"],
    ownSecret: "presto-key",
    ofApp: [{ name: expect.stringMatching(/^kube-api-access-/), mountPath: accountToken, readOnly: true }],
  },
};

function inVault(name: string, auth: object) {
  const vault = { address: bao.url, entry: `secret/${name}`, caConfigMapName: "vault-ca", auth };
  return {
    store: { kind: "vault", vault },
    issuing: {
      PRESTO_STORE: `vault:secret/${name}`,
      VAULT_ADDR: bao.url,
      VAULT_CACERT: bao.caFile,
      VAULT_TOKEN: bao.rootToken,
    },
  };
}

/** A role in Vault for the service account `wallet`, whose token the API server is asked about. */
async function letInByAccount(namespace: string): Promise<void> {
  await grant(kube, { namespace, account: "reviewer", verbs: [] });
  await kube.admin("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "reviewer" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" },
    subjects: [{ kind: "ServiceAccount", name: "reviewer", namespace }],
  });
  await bao.api("POST", "sys/auth/kubernetes", { type: "kubernetes" });
  await bao.api("POST", "auth/kubernetes/config", {
    kubernetes_host: kube.url,
    kubernetes_ca_cert: kube.ca,
    token_reviewer_jwt: await kube.tokenFor(namespace, "reviewer"),
    disable_local_ca_jwt: true,
  });
  await bao.api("POST", `auth/kubernetes/role/${namespace}`, {
    bound_service_account_names: "wallet",
    bound_service_account_namespaces: namespace,
    audience: "vault",
    token_policies: [namespace],
  });
}

const canRun = canRender() && whatKubeletLacks() === undefined;

describe.skipIf(!canRun)("an injected sidecar, running,", () => {
  beforeAll(async () => {
    sandbox = createSandbox();
    [kube, bao] = await Promise.all([startKubeServer(), startBaoServer(), sandbox.start()]);
    await writeFile(join(kube.folder, "presto-ca.pem"), sandbox.caPem);
  });
  afterAll(async () => {
    await sandbox.close();
    await bao.close();
    await kube.close();
  });

  describe.each(Object.entries(homes))("with its token in %s", (_, home) => {
    const { namespace } = home;
    let made: Awaited<ReturnType<Home["make"]>>;
    let pod: KubeObject;
    let sidecar: RunningContainer;
    let admin: string;
    beforeAll(async () => {
      await makeLabelled(kube, namespace, { label: namespace });
      made = await home.make(namespace);
      const key = Buffer.from(storeKey).toString("base64");
      await makeSecret(kube, namespace, "presto-key", { data: { key } });
      for (const [name, text] of [
        ["kube-root-ca.crt", kube.ca],
        ["presto-ca", sandbox.caPem],
        ["vault-ca", await readFile(bao.caFile, "utf8")],
      ] as const)
        await kube.admin("POST", `/api/v1/namespaces/${namespace}/configmaps`, {
          metadata: { name },
          data: { "ca.crt": text },
        });
      const [port, adminPort] = await freePorts(2);
      admin = `http://127.0.0.1:${adminPort}`;
      const values = {
        ...fleetValues,
        url: sandbox.url,
        ca: { configMapName: "presto-ca" },
        port,
        admin: { port: adminPort },
        store: { ...made.store, sealingKey: { secretName: "presto-key" } },
        injection: { enabled: true, namespaceLabel: namespace },
      };
      await applyPolicies(kube, renderPolicies(namespace, values), namespace);
      pod = await storedPod(kube, namespace, newPod(home.change));
      sidecar = await runSidecar(kube, pod);
    });
    afterAll(() => sidecar.remove());

    /** As an operator's laptop does it; what lived before is dead then. A store that is slow to answer is asked again. */
    async function issue(): Promise<void> {
      const env = {
        PRESTO_ROLE: "rotator",
        PRESTO_URL: sandbox.url,
        PRESTO_CA_FILE: join(kube.folder, "presto-ca.pem"),
        PRESTO_STORE_KEY: storeKey,
        PRESTO_EMAIL: sandbox.account.email,
        PRESTO_PASSWORD: sandbox.account.password,
        PRESTO_ADMIN_LISTEN: "127.0.0.1:1",
        PRESTO_CONTROL_LISTEN: "off",
        ...made.issuing,
      };
      const issued = await until(
        async () => {
          const ended = await runCli(["token", "issue", "--yes"], { env });
          return ended.code === 69 ? undefined : ended;
        },
        { ...patience, what: "the store answers" },
      );
      expect([issued.code, issued.err]).toEqual([0, expect.any(String)]);
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
    const isProbed = (name: Parameters<typeof probe>[0]) =>
      until(async () => ((await probe(name)) === 200 ? true : undefined), {
        ...patience,
        what: () => `its ${name}: ${sidecar.out()}${sidecar.err()}`,
      });

    it("has what it logs in by, and the sealing key, mounted into its container alone", () => {
      const mounts = ({ volumeMounts = [] }: KubeObject) => volumeMounts.map(({ name }: KubeObject) => name);
      const secret = pod.spec.volumes.filter(
        ({ name, ...volume }: KubeObject) =>
          name.startsWith("presto-sidecar-") && (volume.projected ?? volume.secret) !== undefined,
      );
      const names = secret.map(({ name }: KubeObject) => name);
      expect(names.toSorted()).toEqual([...home.login, "presto-sidecar-key"].toSorted());
      expect(mounts(pod.spec.initContainers[0])).toEqual(expect.arrayContaining(names));
      expect(pod.spec.containers).toHaveLength(1);
      expect(pod.spec.containers[0].volumeMounts ?? []).toEqual(home.ofApp);
    });

    it("would not be made for an app that has one of its Secrets", async () => {
      const reading = app({ envFrom: [{ secretRef: { name: home.ownSecret } }] });
      const refusal = await refusalOfPod(kube, namespace, newPod(all(home.change, reading)));
      expect(refusal).toMatch(/app has a Secret of the sidecar's/);
    });

    it("has started and lives without a token, and is not ready", async () => {
      await isProbed("startupProbe");
      expect([await probe("livenessProbe"), await probe("readinessProbe")]).toEqual([200, 503]);
      // As the user that the pod says, and no other.
      expect(await readFile(`/proc/${sidecar.child.pid}/status`, "utf8")).toMatch(/^Uid:(\s65532){4}$/m);
    });

    it("is ready when the first token arrives, and serves the app with it", async () => {
      await issue();
      await isProbed("readinessProbe");
      expect([await probe("startupProbe"), await probe("livenessProbe")]).toEqual([200, 200]);
      expect([await callOfApp(), await generation()]).toEqual([404, 1]);
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

    it("stays ready while Presto, and a Vault that has its record, are away, and serves when they are back", async () => {
      const { id } = sandbox.setFault({ kind: "reset-before-acting" });
      await until(async () => ((await callOfApp()) === 502 ? true : undefined), {
        ...patience,
        what: "Presto is away",
      });
      if (home.isInVault) {
        await bao.seal();
        const failure = async () => Object(await (await fetch(`${admin}/status`)).json()).store_state.failure;
        await until(async () => ((await failure()) ? true : undefined), {
          ...patience,
          what: "it has seen that Vault is sealed",
        });
      }
      expect([await probe("readinessProbe"), await probe("livenessProbe")]).toEqual([200, 200]);
      sandbox.removeFault(id);
      await until(async () => ((await callOfApp()) === 404 ? true : undefined), {
        ...patience,
        what: "it serves",
      });
      await bao.unseal();
    });

    it("is asked by kubectl exec over its socket, which no other container has", async () => {
      const { code, out, err } = await sidecar.exec(["outcomes", "--json"]);
      expect([code, err]).toEqual([0, ""]);
      expect(JSON.parse(out)).toMatchObject({ open: [] });
    });

    it("answers the call that is under way at SIGTERM, alive for kubelet until it ends by that, with 0", async () => {
      const { id } = sandbox.setFault({ kind: "hold" });
      const seen = sandbox.received().length;
      const last = callOfApp();
      await until(() => (sandbox.received().length > seen ? true : undefined), {
        ...patience,
        what: "a call",
      });
      sidecar.child.kill("SIGTERM");
      let lastAlive = 200;
      void (async () => {
        while (lastAlive === 200) lastAlive = await probe("livenessProbe");
      })();
      await until(async () => ((await probe("readinessProbe")) === 503 ? true : undefined), {
        ...patience,
        what: "it drains",
      });
      expect([await probe("startupProbe"), await probe("livenessProbe")]).toEqual([200, 200]);
      sandbox.removeFault(id);
      expect([await last, await sidecar.ended]).toEqual([404, 0]);
      // Never anything but 200, or no more answer at all.
      await until(() => (lastAlive === 200 ? undefined : true), { ...patience, what: "it is gone" });
      expect(lastAlive).toBe(0);
      for (const secret of [sandbox.token, storeKey, made.secret ?? storeKey])
        expect(sidecar.out() + sidecar.err()).not.toContain(secret);
    });
  });

  it("has Vault refuse the token that the app of such a pod has", async () => {
    const jwt = await kube.tokenFor("by-account", "wallet");
    const login = (role: string, token: string) =>
      bao.api("POST", "auth/kubernetes/login", { role, jwt: token });
    const { status, json } = await login("by-account", jwt);
    expect([status, JSON.stringify(json)]).toEqual([403, expect.stringContaining("audience")]);
  });
});
