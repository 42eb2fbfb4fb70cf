import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "undici";

import { createAuthority } from "../../../src/sandbox/certificates.ts";
import { freePorts } from "../../support/free-ports.ts";
import { until } from "../../support/until.ts";
import { buildServers } from "./build.ts";
import { launch, type Program } from "./program.ts";

/** What is said to the API server as its administrator, and what it answered. */
export interface AdminAnswer {
  readonly status: number;
  readonly json: unknown;
  /** What it warned of, as kubectl prints it. */
  readonly warnings: readonly string[];
}

export interface ApiOptions {
  /** Has it encrypt Secrets in etcd, by a key of that name. */
  readonly encryptedWith?: string;
  /** Is it enough that it answers? With Secrets that it can't read it never gets ready. */
  readonly answersOnly?: boolean;
}

/** A real etcd and kube-apiserver on loopback, with RBAC. */
export interface KubeServer {
  readonly url: string;
  readonly host: string;
  readonly port: string;
  /** PEM. */
  readonly ca: string;
  readonly adminToken: string;
  /** A new folder of its own, with a kubeconfig of the administrator in it. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** A certificate that the API server takes for the user of that name. */
  certificateFor(user: string): Promise<{ readonly certPem: string; readonly keyPem: string }>;
  admin(
    method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE",
    path: string,
    body?: object,
  ): Promise<AdminAnswer>;
  /** What it says of itself, for Prometheus. */
  metrics(): Promise<string>;
  /** The same as whoever that bearer token is of. */
  as(
    token: string,
    method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE",
    path: string,
    body?: object,
  ): Promise<AdminAnswer>;
  /** A token for a service account, as a projected volume holds one. */
  tokenFor(namespace: string, account: string): Promise<string>;
  /** Kills the API server: after a SIGTERM it waits for open watches for up to a minute. */
  stopApi(): Promise<void>;
  startApi(options?: ApiOptions): Promise<void>;
  close(): Promise<void>;
}

/** Builds the servers where they are not built yet, and starts them. */
export async function startKubeServer(): Promise<KubeServer> {
  const programs = await buildServers();
  const folder = await mkdtemp(join(tmpdir(), "presto-kube-"));
  const authority = await createAuthority({ name: "test cluster" });
  const serving = await authority.issue({ names: ["127.0.0.1", "localhost", "kubernetes.default.svc"] });
  const accounts = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const adminToken = randomBytes(16).toString("hex");
  const [etcdPort = 0, apiPort = 0] = await freePorts(2);
  const url = `https://127.0.0.1:${apiPort}`;
  const files = {
    "ca.crt": authority.certPem,
    "tls.crt": serving.certPem,
    "tls.key": serving.keyPem,
    "sa.key": accounts.privateKey.export({ type: "pkcs8", format: "pem" }),
    "sa.pub": accounts.publicKey.export({ type: "spki", format: "pem" }),
    "tokens.csv": `${adminToken},admin,admin,system:masters\n`,
    // JSON is YAML.
    kubeconfig: JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [{ name: "test", cluster: { server: url, "certificate-authority": "ca.crt" } }],
      users: [{ name: "admin", user: { token: adminToken } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    }),
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });

  let client = adminClient();
  function adminClient(): Client {
    return new Client(url, {
      connect: { ca: authority.certPem },
      bodyTimeout: 40_000,
      headersTimeout: 40_000,
    });
  }

  const askAs: KubeServer["as"] = async (token, method, path, body) => {
    const response = await client.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const warnings = [response.headers["warning"] ?? []].flat().map(warningText);
    return { status: response.statusCode, json: await response.body.json(), warnings };
  };
  const admin: KubeServer["admin"] = (method, path, body) => askAs(adminToken, method, path, body);

  /** @returns the flag that has it encrypt, and what is not encrypted read all the same */
  async function encryptBy(name: string): Promise<string> {
    const secret = createHash("sha256").update(name).digest("base64");
    const providers = [{ aescbc: { keys: [{ name, secret }] } }, { identity: {} }];
    const config = {
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "EncryptionConfiguration",
      resources: [{ resources: ["secrets"], providers }],
    };
    await writeFile(join(folder, "encryption.json"), JSON.stringify(config), { mode: 0o600 });
    return "--encryption-provider-config=encryption.json";
  }

  let api: Program | undefined;
  async function startApi({ encryptedWith, answersOnly = false }: ApiOptions = {}): Promise<void> {
    const args = [
      ...(encryptedWith === undefined ? [] : [await encryptBy(encryptedWith)]),
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      "--bind-address=127.0.0.1",
      // Without it a machine that has no default route fails.
      "--advertise-address=127.0.0.1",
      `--secure-port=${apiPort}`,
      // It refuses loopback.
      "--endpoint-reconciler-type=none",
      "--tls-cert-file=tls.crt",
      "--tls-private-key-file=tls.key",
      "--client-ca-file=ca.crt",
      "--authorization-mode=RBAC",
      "--token-auth-file=tokens.csv",
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-account-key-file=sa.pub",
      "--service-account-signing-key-file=sa.key",
      "--service-cluster-ip-range=10.0.0.0/24",
    ];
    const started = launch(join(programs, "kube-apiserver"), args, folder);
    api = started;
    await until(
      async () => {
        const response = await client.request({ method: "GET", path: "/readyz" }).catch(() => undefined);
        await response?.body.dump();
        if (started.hasEnded()) throw new Error(await started.said());
        const isUp = answersOnly ? response !== undefined : response?.statusCode === 200;
        return isUp ? true : undefined;
      },
      { withinMs: 60_000, everyMs: 100, what: "the API server gets ready" },
    );
  }

  const etcd = launch(
    join(programs, "etcd"),
    [
      "--data-dir=etcd",
      "--unsafe-no-fsync",
      "--log-level=error",
      "--listen-peer-urls=http://127.0.0.1:0",
      `--listen-client-urls=http://127.0.0.1:${etcdPort}`,
      `--advertise-client-urls=http://127.0.0.1:${etcdPort}`,
    ],
    folder,
  );
  const close = async (): Promise<void> => {
    await api?.stop();
    await etcd.stop();
    await client.destroy();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await startApi();
  } catch (error) {
    await close();
    throw error;
  }

  return {
    url,
    host: "127.0.0.1",
    port: `${apiPort}`,
    ca: authority.certPem,
    adminToken,
    folder,
    kubeconfig: join(folder, "kubeconfig"),
    certificateFor: (user) => authority.issue({ commonName: user, names: [user], usage: "client" }),
    admin,
    async metrics() {
      const headers = { authorization: `Bearer ${adminToken}` };
      const response = await client.request({ method: "GET", path: "/metrics", headers });
      return response.body.text();
    },
    as: askAs,
    async tokenFor(namespace, account) {
      const { json } = await admin(
        "POST",
        `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
        {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { expirationSeconds: 3600 },
        },
      );
      const token: unknown = Object(Object(json).status).token;
      if (typeof token !== "string") throw new Error(`no token for ${account}`);
      return token;
    },
    async stopApi() {
      await api?.stop();
      await client.destroy();
      client = adminClient();
    },
    startApi,
    close,
  };
}

/** The text of a `Warning` (RFC 7234 section 5.5): `299 - "text"`. */
function warningText(header: string): string {
  return header.replace(/^299 \S+ "(.*)"$/s, "$1").replaceAll(/\\(.)/g, "$1");
}
