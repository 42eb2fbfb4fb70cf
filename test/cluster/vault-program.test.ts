import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { environmentOf, hasKubeTools, renderChart, sidecarOf } from "../support/render-chart.ts";
import { type RunningProgram, startProgram, startServing } from "../support/source-program.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { allow, countLogins, makeRole } from "./vault/stores.ts";

// The program itself, with a real OpenBao.

let server: BaoServer;
let sandbox: Sandbox;
let name: string;
let env: Record<string, string>;
let secretId: string;
const running: RunningProgram[] = [];

beforeAll(async () => {
  server = await startBaoServer();
  sandbox = createSandbox();
  await sandbox.start();
});
afterAll(async () => {
  await sandbox.close();
  await server.close();
});
beforeEach(async () => {
  name = randomUUID();
  await allow(server, name, name, ["read", "create", "update"]);
  const login = await makeRole(server, name, name, { token_ttl: "1h" });
  if (login.method !== "approle" || login.secretId.kind !== "value") throw new Error("not an AppRole");
  secretId = login.secretId.secret.reveal();
  const secretIdFile = join(server.folder, `${name}.secret-id`);
  await writeFile(secretIdFile, `${secretId}\n`, { mode: 0o600 });
  const caFile = join(server.folder, "presto-ca.pem");
  await writeFile(caFile, sandbox.caPem);
  env = {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: caFile,
    PRESTO_STORE: `vault:secret/${name}`,
    VAULT_ADDR: server.url,
    VAULT_CACERT: server.caFile,
    PRESTO_VAULT_AUTH: "approle",
    PRESTO_VAULT_ROLE_ID: login.roleId,
    PRESTO_VAULT_SECRET_ID_FILE: secretIdFile,
    PRESTO_LISTEN: "127.0.0.1:0",
    PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
    PRESTO_CONTROL_LISTEN: "off",
  };
});
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGKILL");
    await ended;
  }
  await server.unseal();
});

async function command(argv: readonly string[], stdin = "", more: Record<string, string> = {}) {
  const program = startProgram(argv, { env: { ...env, ...more }, stdin });
  const code = await program.ended;
  return { code, output: program.output() };
}

async function serve() {
  const program = await startServing({ env });
  running.push(program);
  return program;
}

async function readiness(adminPort: number): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  return { status: response.status, text: await response.text() };
}

async function call(port: number): Promise<number> {
  const response = await fetch(
    `http://127.0.0.1:${port}/api/institutions/v1/wallet/transaction/TRX000000000`,
  );
  await response.arrayBuffer();
  return response.status;
}

describe("with the token in a Vault", () => {
  it("serves, follows a token that is imported, and gives its login back at the end", async () => {
    expect(await command(["token", "show"])).toMatchObject({ code: 66 });
    expect(await command(["token", "import"], "1111|dead-token")).toMatchObject({ code: 0 });
    expect(await countLogins(server, name)).toBe(0);
    const { child, ended, port, adminPort, output } = await serve();
    expect(await readiness(adminPort)).toMatchObject({ status: 200 });
    expect(await countLogins(server, name)).toBe(1);
    expect(await command(["token", "import"], sandbox.token)).toMatchObject({ code: 0 });
    await expect.poll(() => call(port), { timeout: 40_000 }).toBe(404);
    const shown = await command(["token", "show", "--json"]);
    expect(JSON.parse(shown.output)).toMatchObject({ generation: 2 });
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(await countLogins(server, name)).toBe(0);
    for (const secret of [secretId, sandbox.token]) expect(output()).not.toContain(secret);
    expect(output()).not.toMatch(/\bs\.[A-Za-z0-9]{20}/);
  });

  it.skipIf(!hasKubeTools)(
    "knows its login by what the chart gives a container, mounts included",
    async () => {
      expect(await command(["token", "import"], sandbox.token)).toMatchObject({ code: 0 });
      const auth = {
        method: "approle",
        roleId: env["PRESTO_VAULT_ROLE_ID"],
        secretId: { secretName: "vault-wallet" },
      };
      const vault = {
        address: server.url,
        entry: `secret/${name}`,
        caConfigMapName: "vault-ca",
        auth,
      };
      const sidecar = sidecarOf(renderChart({ url: sandbox.url, store: { kind: "vault", vault } }));
      const mounted = new Map([
        ["/var/run/presto-sidecar/vault-secret-id/secret-id", env["PRESTO_VAULT_SECRET_ID_FILE"]],
        ["/var/run/presto-sidecar/vault-ca/ca.crt", server.caFile],
      ]);
      const given = Object.entries(environmentOf(sidecar, "127.0.0.1")).map(
        ([variable, value]) => [variable, mounted.get(value) ?? value] as const,
      );
      const program = startProgram(["token", "show"], { env: Object.fromEntries(given), stdin: "" });
      expect([await program.ended, program.output()]).toEqual([0, expect.stringContaining("generation")]);
    },
  );

  it("starts while Vault is sealed, says so, and is ready within 2 s of its return", async () => {
    expect(await command(["token", "import"], sandbox.token)).toMatchObject({ code: 0 });
    await server.seal();
    expect(await command(["token", "show"])).toMatchObject({
      code: 69,
      output: expect.stringContaining("is sealed; have it unsealed with: bao operator unseal"),
    });
    const { port, adminPort } = await serve();
    const closed = await readiness(adminPort);
    expect(closed).toMatchObject({ status: 503, text: expect.stringContaining("is sealed") });
    await server.unseal();
    const backAt = performance.now();
    await expect.poll(async () => (await readiness(adminPort)).status, { timeout: 40_000 }).toBe(200);
    // 2 s, and what a busy machine adds.
    expect(performance.now() - backAt).toBeLessThan(10_000);
    expect(await call(port)).toBe(404);
  });

  it("goes on with the token in hand while Vault is sealed", async () => {
    await command(["token", "import"], sandbox.token);
    const { port, adminPort } = await serve();
    await server.seal();
    await new Promise((resolve) => {
      setTimeout(resolve, 7_000);
    });
    expect(await call(port)).toBe(404);
    expect((await readiness(adminPort)).status).toBe(200);
  });

  it("starts over an entry that is no record, says so, and leaves it", async () => {
    await server.api("PUT", `secret/data/${name}`, { data: { record: "nonsense" } });
    const { adminPort } = await serve();
    expect(await readiness(adminPort)).toMatchObject({
      status: 503,
      text: expect.stringContaining("is damaged"),
    });
    expect(await command(["token", "import"], sandbox.token)).toMatchObject({ code: 78 });
    expect((await server.api("GET", `secret/data/${name}`)).json).toMatchObject({
      data: { data: { record: "nonsense" } },
    });
  });

  it("refuses what can't be a place with a sentence and a code of its own", async () => {
    const policy = JSON.stringify({ path: { "old/*": { capabilities: ["read", "create", "update"] } } });
    await server.api("PUT", `sys/policies/acl/${name}`, { policy });
    expect(await command(["token", "import"], sandbox.token, { PRESTO_STORE: "vault:old/it" })).toMatchObject(
      {
        code: 77,
        output: expect.stringContaining("bao kv enable-versioning old"),
      },
    );
    const other = { VAULT_ADDR: "http://vault.example:8200" };
    expect(await command(["token", "show"], "", other)).toMatchObject({ code: 78 });
    const away = { VAULT_ADDR: "http://127.0.0.1:1" };
    expect(await command(["token", "show"], "", away)).toMatchObject({
      code: 69,
      output: expect.stringContaining("connection refused"),
    });
  });

  it("seals what it keeps there, with a key, and takes the account there too", async () => {
    const key = { PRESTO_STORE_KEY: Buffer.alloc(32, 7).toString("base64") };
    expect(await command(["token", "import"], sandbox.token, key)).toMatchObject({ code: 0 });
    const { json } = await server.api("GET", `secret/data/${name}`);
    expect(JSON.stringify(json)).toContain("presto-sidecar/");
    expect(JSON.stringify(json)).not.toContain(sandbox.token);
    expect(await command(["token", "show"])).toMatchObject({
      code: 78,
      output: expect.stringContaining("is sealed"),
    });
    await allow(server, name, `${name}*`, ["read", "create", "update"]);
    const account = JSON.stringify({ email: "sidecar@institution.example", password: "p4ss" });
    const into = { ...key, PRESTO_CREDENTIALS: `vault:secret/${name}-account` };
    expect(await command(["credentials", "import"], account, into)).toMatchObject({ code: 0 });
    expect((await server.api("GET", `secret/data/${name}-account`)).status).toBe(200);
  });
});
