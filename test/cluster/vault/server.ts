import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "undici";

import { createAuthority } from "../../../src/sandbox/certificates.ts";
import { freePorts } from "../../support/free-ports.ts";
import { until } from "../../support/until.ts";
import { endWithUs } from "../end-with-us.ts";
import { fetchOpenBao } from "./fetch.ts";

/** What is said to OpenBao past the program under test, and what it answered. */
export interface BaoAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** A real OpenBao on loopback: initialized, unsealed, with a KV engine of version 2 at secret/ and one of version 1 at old/. */
export interface BaoServer {
  /** Over TLS, for localhost. */
  readonly url: string;
  /** The same server over plain HTTP. */
  readonly plainUrl: string;
  /** PEM file with the CA of its certificate. */
  readonly caFile: string;
  readonly rootToken: string;
  /** A new folder of its own. */
  readonly folder: string;
  api(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    body?: object,
    token?: string,
  ): Promise<BaoAnswer>;
  /** A token with a policy of the name. */
  tokenFor(policy: string, more?: object): Promise<string>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** Stops it, or lets it go on, without its knowing. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  close(): Promise<void>;
}

/** Fetches it where it is not there yet, and starts it. */
export async function startBaoServer(): Promise<BaoServer> {
  const program = await fetchOpenBao();
  const folder = await mkdtemp(join(tmpdir(), "presto-bao-"));
  const authority = await createAuthority({ name: "test vault" });
  const serving = await authority.issue({ names: ["127.0.0.1", "localhost"] });
  const [port = 0, plainPort = 0] = await freePorts(2);
  const caFile = join(folder, "ca.pem");
  const plainUrl = `http://127.0.0.1:${plainPort}`;
  const config = {
    storage: { inmem: {} },
    listener: [
      {
        tcp: {
          address: `127.0.0.1:${port}`,
          tls_cert_file: join(folder, "tls.pem"),
          tls_key_file: join(folder, "tls.key"),
        },
      },
      { tcp: { address: `127.0.0.1:${plainPort}`, tls_disable: true } },
    ],
    api_addr: plainUrl,
  };
  const files = {
    "ca.pem": authority.certPem,
    "tls.pem": serving.certPem,
    "tls.key": serving.keyPem,
    "config.json": JSON.stringify(config),
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  const log = openSync(join(folder, "bao.log"), "a");
  const child = endWithUs(
    spawn(program, ["server", `-config=${join(folder, "config.json")}`], {
      cwd: folder,
      stdio: ["ignore", log, log],
      env: { PATH: "", HOME: folder },
    }),
  );
  const client = new Client(plainUrl, { headersTimeout: 10_000, bodyTimeout: 10_000 });

  async function ask(method: string, path: string, body?: object, token?: string): Promise<BaoAnswer> {
    const response = await client.request({
      method: method === "GET" || method === "PUT" || method === "DELETE" ? method : "POST",
      path: `/v1/${path}`,
      headers: token === undefined ? {} : { "x-vault-token": token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, json: text === "" ? undefined : JSON.parse(text) };
  }

  await until(
    async () => {
      if (child.exitCode !== null)
        throw new Error((await readFile(join(folder, "bao.log"), "utf8")).slice(-2_000));
      return (await ask("GET", "sys/health").catch(() => undefined)) === undefined ? undefined : true;
    },
    { withinMs: 60_000, everyMs: 50, what: "OpenBao answers" },
  );
  const { json } = await ask("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  const { keys, rootToken } = readInit(json);
  const unseal = async (): Promise<void> => {
    await ask("PUT", "sys/unseal", { key: keys });
  };
  await unseal();
  const api: BaoServer["api"] = (method, path, body, token = rootToken) => ask(method, path, body, token);
  await until(async () => ((await api("GET", "sys/mounts")).status === 200 ? true : undefined), {
    withinMs: 40_000,
    everyMs: 50,
    what: "OpenBao is active",
  });
  await api("POST", "sys/mounts/secret", { type: "kv", options: { version: "2" } });
  await api("POST", "sys/mounts/old", { type: "kv", options: { version: "1" } });
  // A new engine of version 2 is set up for a moment.
  await until(async () => ((await api("GET", "secret/data/none")).status === 404 ? true : undefined), {
    withinMs: 40_000,
    everyMs: 50,
    what: "the KV engine is set up",
  });

  return {
    url: `https://localhost:${port}`,
    plainUrl,
    caFile,
    rootToken,
    folder,
    api,
    async tokenFor(policy, more = {}) {
      const made = await api("POST", "auth/token/create", { policies: [policy], ...more });
      return clientToken(made.json);
    },
    async seal() {
      await api("PUT", "sys/seal");
    },
    unseal,
    signal: (name) => void child.kill(name),
    async close() {
      await client.destroy();
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function readInit(json: unknown): { readonly keys: string; readonly rootToken: string } {
  const { keys, root_token: rootToken } = Object(json);
  return { keys: String(keys[0]), rootToken: String(rootToken) };
}

/** The token that an answer to a login, or to the making of one, holds. */
export function clientToken(json: unknown): string {
  return String(Object(json).auth.client_token);
}
