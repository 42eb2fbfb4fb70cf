import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { filesOf } from "../../src/store/file/lock.ts";
import { createFileStore } from "./file-stores.ts";
import { until } from "./until.ts";

export const issuePath = "/api/institutions/v1/auth/token/issue";

/** One host with an account of its own: a Presto, a folder with the token's record, and where its sidecar listens. */
export interface TokenHost {
  readonly sandbox: Sandbox;
  readonly folder: string;
  /** The record's file. */
  readonly path: string;
  /** The Unix socket that calls go to. */
  readonly proxy: string;
  /** Variables of a sidecar of role `all` that looks after this record; all listeners are Unix sockets. */
  env(more?: Readonly<Record<string, string>>): Record<string, string>;
  /** What stands in the store. Rejects where it can't be opened: half-written, say. */
  record(): Promise<TokenRecord | undefined>;
  /** Fingerprint of the token that Presto accepts; undefined if none lives. Cheap. */
  liveId(): string | undefined;
  /** Kills it, as somebody else would who issues on this account. */
  revoke(): void;
  /** Resolves when the stored token is the live one and no intent stands. */
  settled(withinMs: number): Promise<void>;
  /** Issue calls that have come to Presto, whatever became of them. */
  issueCalls(): number;
  /** Files beside the record that are none of its own: what killed writers left. */
  leftovers(): readonly string[];
  /** Asks the sidecar for a new token: the reply's status and text. Rejects where the connection is cut. */
  renew(wait: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Takes the record away, with its locks; no sidecar may run. */
  forget(): void;
  /** Resolves when Presto has read all that was sent to it before. */
  wireIsRead(): Promise<void>;
  close(): Promise<void>;
}

/** Renewals follow each other faster here than a token grows old enough to be believed dead (30 s): those of this Presto are old. */
const issuedAgoMs = 60 * 60_000;

export async function createTokenHost(): Promise<TokenHost> {
  const sandbox = createSandbox({ issuedAgoMs });
  await sandbox.start();
  const folder = mkdtempSync(join(tmpdir(), "presto-host-"));
  const at = (name: string): string => join(folder, name);
  const path = at("token");
  const key = randomBytes(32).toString("base64");
  const store = createFileStore({
    path,
    keys: { kind: "value", secret: new Secret(key) },
    clock: systemClock,
  });
  writeFileSync(at("ca.pem"), sandbox.caPem);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  let revoked: string | undefined;
  const others = new Set([
    "ca.pem",
    "proxy",
    "admin",
    "control",
    ...filesOf(path).map((file) => basename(file)),
  ]);

  const record = async (): Promise<TokenRecord | undefined> => (await store.read())?.record;
  const liveId = (): string | undefined =>
    sandbox.token === revoked ? undefined : new Secret(sandbox.token).fingerprint();

  return {
    sandbox,
    folder,
    path,
    proxy: at("proxy"),
    env: (more = {}) => ({
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: at("ca.pem"),
      PRESTO_ROLE: "all",
      PRESTO_STORE: `file:${path}`,
      PRESTO_STORE_KEY: key,
      PRESTO_EMAIL: sandbox.account.email,
      PRESTO_PASSWORD: sandbox.account.password,
      PRESTO_LISTEN: `unix:${at("proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${at("admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${at("control")}`,
      PRESTO_LOG_LEVEL: "debug",
      ...more,
    }),
    record,
    liveId,
    async settled(withinMs) {
      const look = async (): Promise<true | undefined> => {
        const stored = await record();
        const id = stored?.token?.fingerprint();
        return stored?.intent === null && id !== undefined && id === liveId() ? true : undefined;
      };
      await until(look, { withinMs, everyMs: 25, what: "a live token in the store without an intent" });
    },
    revoke() {
      sandbox.revokeToken();
      revoked = sandbox.token;
    },
    issueCalls: () => sandbox.state().requests[`POST ${issuePath}`] ?? 0,
    leftovers: () => readdirSync(folder).filter((name) => !others.has(name)),
    renew: (wait) => post(at("control"), `/renew?wait=${wait}`),
    forget() {
      for (const file of filesOf(path)) rmSync(file, { force: true });
    },
    async wireIsRead() {
      // Bytes that a dead process has left are in the kernel by now, and are read in the turn in which this call is, or before.
      for (let turn = 0; turn < 3; turn += 1) await (await fetch(sandbox.controlUrl)).arrayBuffer();
    },
    async close() {
      store.close();
      await sandbox.close();
      process.removeListener("exit", remove);
      remove();
    },
  };
}

function post(socketPath: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Host: "localhost", "Presto-Control": "1" };
    const sent = request({ socketPath, path, method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
