import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runCli, startCli, type CliResult } from "../support/built-cli.ts";
import { marksIn, type Mark } from "../support/marks.ts";

// The built program issues, renews and resets against a Presto on loopback, in the order of a first day.

const email = "ops.team@marked-bank.example";
const password = "First-marked-Passw0rd";
const key = Buffer.alloc(32, 7).toString("base64");
const marks: Mark[] = [
  { name: "the e-mail address", value: email },
  { name: "the password", value: password },
  { name: "the store key", value: key },
];

const issuePath = "/api/institutions/v1/auth/token/issue";

let folder: string;
let sandbox: Sandbox;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cli-issuing-"));
  // No token is young: the death of one that is would not be believed.
  sandbox = createSandbox({ email, password, issuedAgoMs: 60 * 60_000 });
  await sandbox.start();
  writeFileSync(join(folder, "ca.pem"), sandbox.caPem);
  env = {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    PRESTO_ROLE: "all",
    PRESTO_STORE: `file:${join(folder, "token")}`,
    PRESTO_CREDENTIALS: `file:${join(folder, "credentials")}`,
    PRESTO_STORE_KEY: key,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_SETTLE: "1s",
  };
});
afterAll(async () => {
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(argv: readonly string[], stdin?: string): Promise<CliResult> {
  const result = await runCli(argv, { env, ...(stdin === undefined ? {} : { stdin }) });
  marks.push({ name: "a token", value: sandbox.token });
  expect([argv, marksIn(result.out + result.err, marks)]).toEqual([argv, []]);
  return result;
}

async function json(argv: readonly string[], stdin?: string): Promise<unknown> {
  const { code, out, err } = await run([...argv, "--json"], stdin);
  expect([argv, code, err]).toEqual([argv, 0, expect.anything()]);
  return JSON.parse(out);
}

describe("the account's first day", () => {
  it("ends with 78 while there are no credentials", async () => {
    const { code, err } = await run(["token", "issue", "--yes"]);
    expect(code).toBe(78);
    expect(err).toContain("credentials import");
  });

  it("takes the credentials in by a pipe", async () => {
    expect(await json(["credentials", "import"], JSON.stringify({ email, password }))).toEqual({
      stored: true,
      replaced: false,
    });
  });

  it("issues nothing unasked", async () => {
    expect((await run(["token", "issue"])).code).toBe(64);
    expect((await run(["token", "show"])).code).toBe(66);
  });

  it("issues the first token, which is then shown", async () => {
    const issued = await json(["token", "issue", "--yes"]);
    expect(issued).toMatchObject({ renewed: true, generation: 1, name: "presto-sidecar" });
    const live = sandbox.state().tokens.find((token) => token.live);
    expect(issued).toMatchObject({ fingerprint: live?.fingerprint });
    expect(await json(["token", "show"])).toMatchObject({ generation: 1, fingerprint: live?.fingerprint });
  });

  it("renews it by itself where no sidecar runs", async () => {
    expect(await json(["token", "renew"])).toMatchObject({ renewed: true, generation: 2 });
  });

  it("changes the password, and issues with the new one", async () => {
    expect(await json(["password", "reset", "--generate"])).toEqual({
      changed: true,
      stored: true,
      earlier: false,
      token: "alive",
    });
    expect(await json(["token", "renew"])).toMatchObject({ renewed: true, generation: 3 });
  });

  it("renews a token that somebody else's issue has killed", async () => {
    sandbox.mintToken();
    expect(await json(["token", "renew"])).toMatchObject({ renewed: true, generation: 4 });
    const live = sandbox.state().tokens.find((token) => token.live);
    expect(await json(["token", "show"])).toMatchObject({ fingerprint: live?.fingerprint, stopped: null });
  });

  it("has a sidecar that runs renew it, and issues beside that one, which follows", async () => {
    const sidecar = startCli(["start"], { env: { ...env, PRESTO_LISTEN: "127.0.0.1:0" } });
    onTestFinished(() => void sidecar.child.kill("SIGKILL"));
    expect((await run(["wait"])).code).toBe(0);
    const { code, out, err } = await run(["token", "renew", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual({ renewed: true, generation: 5, expires_at: expect.any(String) });
    // It follows what a command issues beside it.
    expect(await json(["token", "issue", "--yes"])).toMatchObject({ renewed: true, generation: 6 });
    await expect
      .poll(async () => await json(["status"]), { timeout: 40_000 })
      .toMatchObject({ generation: 6 });
    expect((await run(["quit"])).code).toBe(0);
    expect(await sidecar.ended).toBe(0);
    expect(marksIn(sidecar.out() + sidecar.err(), marks)).toEqual([]);
  });

  it("stores a token that Presto accepts beside a sidecar that settles a call, and has the lock for as long", async () => {
    // Of a token whose end is not known no death proves anything, so that the call is settled for as long as that takes.
    sandbox.mintToken();
    await json(["token", "import"], sandbox.token);
    const settling = { ...env, PRESTO_LISTEN: "127.0.0.1:0", PRESTO_SETTLE: "60s" };
    const sidecar = startCli(["start"], { env: settling });
    onTestFinished(() => void sidecar.child.kill("SIGKILL"));
    expect((await run(["wait"])).code).toBe(0);
    const issue = sandbox.setFault({
      kind: "html",
      status: 502,
      method: "POST",
      path: issuePath,
    });
    expect((await run(["token", "renew", "--wait", "1s"])).code).toBe(75);
    issue.remove();
    await expect
      .poll(async () => await json(["status"]), { timeout: 40_000 })
      .toMatchObject({ renewal: { state: "settling" } });
    const dead = sandbox.token;
    sandbox.mintToken({ name: "made by hand" });

    const refused = await run(["token", "import"], dead);
    expect([refused.code, refused.err]).toEqual([
      75,
      expect.stringMatching(/^.*holds the lock of the record/),
    ]);
    expect(await json(["token", "import"], sandbox.token)).toMatchObject({ presto_says: "alive" });
    const { fingerprint } = sandbox.state().tokens.find((token) => token.live) ?? {};
    expect(await json(["token", "show"])).toMatchObject({ fingerprint });
    // The sidecar follows, and its intent stays: its own call may still be executed.
    await expect
      .poll(async () => await json(["status"]), { timeout: 40_000 })
      .toMatchObject({ token_id: fingerprint, renewal: { state: "settling" } });
    expect((await run(["quit"])).code).toBe(0);
    await sidecar.ended;
    expect(marksIn(sidecar.out() + sidecar.err(), marks)).toEqual([]);
  });

  it("leaves nothing readable behind", () => {
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name), "latin1");
      expect([name, marksIn(bytes, marks)]).toEqual([name, []]);
    }
  });
});
