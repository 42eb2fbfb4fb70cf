import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import { parseStoreKeys, seal } from "../../src/store/seal.ts";
import { runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { exchange } from "../support/raw-caller.ts";
import { eventually } from "../support/sidecar-load.ts";
import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { getCall, queryCall } from "../support/wallet-call.ts";

// During a rollback of a fleet the record is one that a later version wrote.

let sandbox: Sandbox;
let api: StandInApi;
let folder: string;
let sidecar: RunningCli | undefined;
const key = randomBytes(32).toString("base64");

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
  api = await startStandInApi();
});
afterAll(async () => {
  await sandbox.close();
  await api.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "later-schema-"));
  writeFileSync(join(folder, "ca.pem"), sandbox.caPem);
  writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
});
afterEach(async () => {
  sidecar?.child.kill("SIGKILL");
  await sidecar?.ended;
  rmSync(folder, { recursive: true });
});

const record = (): string => join(folder, "record");
const readable = (): string =>
  JSON.stringify({ schema: 2, generation: 41, token: sandbox.token, keep: ["x"] });
const unreadable = (): string => JSON.stringify({ schema: 2, generation: 41, tokens: [sandbox.token] });

function environment(role: "proxy" | "all", store: string): Record<string, string> {
  return {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    PRESTO_ROLE: role,
    PRESTO_STORE: store,
    PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
    PRESTO_PROBE_EVERY: "1s",
    KUBECONFIG: join(folder, "kubeconfig"),
    ...(store.startsWith("file:") ? { PRESTO_STORE_KEY: key } : {}),
    ...(role === "all"
      ? { PRESTO_EMAIL: sandbox.account.email, PRESTO_PASSWORD: sandbox.account.password }
      : {}),
  };
}

/** The address of the store that holds it. */
function store(kind: "file" | "kubernetes", json: string): string {
  if (kind === "kubernetes") {
    api.put("token", { record: Buffer.from(json).toString("base64") });
    return "kubernetes:presto/token";
  }
  const line = seal(Buffer.from(json), "token", 2, parseStoreKeys(new Secret(key)));
  writeFileSync(record(), line, { mode: 0o600 });
  return `file:${record()}`;
}

async function readyz(): Promise<string> {
  try {
    return (await exchange({ path: join(folder, "admin") }, getCall("/readyz", "Connection: close"))).body;
  } catch {
    return "nobody";
  }
}

const call = async (): Promise<number> =>
  (await exchange({ path: join(folder, "proxy") }, queryCall("TRX000000000", "Connection: close"))).status;

describe.each(["file", "kubernetes"] as const)("a %s: record of a later version", (kind) => {
  it("serves the calls of role proxy, where its token can be read", async () => {
    sidecar = startCli(["start"], { env: environment("proxy", store(kind, readable())) });
    await eventually(readyz).toBe("ok\n");
    expect(await call()).toBe(404);
    await eventually(sidecar.out).toMatch(/written by a later version of presto-sidecar\. Its token serves/);
  });

  it("leaves role proxy live and not ready, with the reason, where it can't", async () => {
    sidecar = startCli(["start"], { env: environment("proxy", store(kind, unreadable())) });
    await eventually(readyz).toMatch(/later version of presto-sidecar/);
    expect(await call()).toBe(503);
    expect(sidecar.child.exitCode).toBeNull();
    // The version that wrote it, or a person, puts one there that can be read.
    store(kind, readable());
    await eventually(readyz).toBe("ok\n");
    expect(await call()).toBe(404);
  });
});

it("a role that writes serves from it, says so, and never writes over it: not by plan, nor when told", async () => {
  const env = environment("all", store("file", readable()));
  const before = readFileSync(record(), "latin1");
  sidecar = startCli(["start"], { env });
  await eventually(readyz).toBe("ok\n");
  expect(await call()).toBe(404);
  const issued = sandbox.state().requests["POST /api/institutions/v1/auth/token/issue"] ?? 0;
  const renewed = await runCli(["token", "renew"], { env });
  expect(renewed.err).toMatch(/later version/);
  expect(sandbox.state().requests["POST /api/institutions/v1/auth/token/issue"] ?? 0).toBe(issued);
  expect(readFileSync(record(), "latin1")).toBe(before);
});

it("a role that writes is live and not ready, with the reason, where its token can't be read", async () => {
  sidecar = startCli(["start"], { env: environment("all", store("file", unreadable())) });
  await eventually(readyz).toMatch(/later version of presto-sidecar/);
  expect(await call()).toBe(503);
  expect(sidecar.child.exitCode).toBeNull();
});

it.each([
  ["token show", ["token", "show"], ""],
  ["token import", ["token", "import"], "another-token"],
  ["doctor", ["doctor"], ""],
  ["token renew, without a sidecar", ["token", "renew"], ""],
])("%s ends with 78, and leaves it as it is", async (_name, argv, stdin) => {
  const env = environment("all", store("file", readable()));
  const before = readFileSync(record(), "latin1");
  const ended = await runCli(argv, { env, stdin });
  expect([ended.code, ended.out + ended.err]).toEqual([78, expect.stringMatching(/later version/)]);
  expect(readFileSync(record(), "latin1")).toBe(before);
});
