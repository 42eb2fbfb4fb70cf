import { writeFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { askForNone } from "../support/ask.ts";
import {
  type Examination,
  openProgramStage,
  patience,
  type ProgramStage,
  type Variables,
} from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { allow } from "./vault/stores.ts";

// What people get wrong with the token in a Vault, and what doctor says of it when it is well: by the built program
// and a real OpenBao. Each is told in a sentence that says what to run, and nothing is overwritten.

let bao: BaoServer;
let sandbox: Sandbox;
let stage: ProgramStage;
let name: string;
let token: string;
let serial = 0;

beforeAll(async () => {
  [bao, sandbox] = [await startBaoServer(), createSandbox()];
  await sandbox.start();
});
afterAll(async () => {
  await sandbox.close();
  await bao.close();
});
beforeEach(async () => {
  serial += 1;
  name = `presto-${serial}`;
  await allow(bao, name, name, ["read", "create", "update"]);
  token = await bao.tokenFor(name, { period: "1h" });
  stage = await openProgramStage(sandbox, {
    PRESTO_STORE: `vault:secret/${name}`,
    VAULT_ADDR: bao.url,
    VAULT_CACERT: bao.caFile,
    VAULT_TOKEN: token,
    PRESTO_CONTROL_LISTEN: "off",
  });
});
afterEach(async () => {
  await stage.close();
  await bao.unseal();
});

async function importToken(): Promise<void> {
  expect(await stage.run(["token", "import"], {}, sandbox.token)).toMatchObject({ code: 0, err: "" });
}

async function findings(more: Variables = {}): Promise<Examination> {
  const found = await stage.doctor(more);
  for (const secret of [token, sandbox.token, bao.rootToken]) expect(found.out).not.toContain(secret);
  return found;
}

async function serve(): Promise<void> {
  stage.start();
  await stage.ready();
}

it("doctor says what is well, of a Vault and of the sidecar that runs here", async () => {
  await importToken();
  await serve();
  const { code, of } = await findings();
  expect(code).toBe(0);
  expect(of("store-login")).toMatchObject({
    result: "OK",
    detail: expect.stringMatching(
      /a token that it was given, whose token lives for \d+ minutes and is renewed by then\.$/,
    ),
  });
  expect(of("store-rights")).toMatchObject({
    result: "OK",
    detail: `This process has read on secret/data/${name}.`,
  });
  expect(of("store-object")).toMatchObject({
    result: "OK",
    // One write makes the record, and a second names the entry in it.
    detail: expect.stringMatching(/KV engine of version 2.*at version 2\.$/),
  });
  expect(of("store-clock")).toMatchObject({ result: "OK" });
  expect(of("store-watch")).toMatchObject({
    result: "OK",
    detail: expect.stringContaining("no watch of such a store"),
  });
});

it("a policy that lacks something: told by commands, and by the doctor with the policy that gives it", async () => {
  await importToken();
  await allow(bao, name, name, ["read"]);
  expect(await stage.run(["token", "import"], {}, sandbox.token)).toMatchObject({
    code: 77,
    err: expect.stringContaining(`lacks the create and update capability on secret/data/${name}`),
  });
  await allow(bao, name, name, []);
  const { code, of } = await findings();
  expect(code).toBe(77);
  expect(of("store-rights")).toMatchObject({
    result: "FAIL",
    detail: `This process lacks the read capability on secret/data/${name}.`,
    mend: `Have a policy of its role say so: echo 'path "secret/data/${name}" { capabilities = ["read"] }' | bao policy write NAME -`,
  });
});

it("an expired token: told, and another in its file is taken without a restart", async () => {
  await importToken();
  const file = stage.at("vault-token");
  const short = await bao.tokenFor(name, { ttl: "1s", renewable: false });
  await writeFile(file, short, { mode: 0o600 });
  const byFile = { VAULT_TOKEN: undefined, VAULT_TOKEN_FILE: file };
  const said = await until(
    async () => {
      const shown = await stage.run(["token", "show"], byFile);
      return shown.code === 0 ? undefined : shown;
    },
    { ...patience, what: "it has expired" },
  );
  expect(said).toMatchObject({
    code: 77,
    err: expect.stringContaining(
      "The token in VAULT_TOKEN has expired, was revoked, or lacks the read capability",
    ),
  });
  stage.start(byFile);
  await stage.readinessSays("has expired");
  await writeFile(file, token, { mode: 0o600 });
  await stage.ready();
});

it.each([
  ["an engine of version 1", "old/presto", 77, /Upgrade it with: bao kv enable-versioning old\b/],
  ["a mount that does not exist", "nowhere/presto", 77, /see .*bao secrets list/i],
])("%s: told before anything is written", async (_what, path, code, says) => {
  const policy = JSON.stringify({ path: { "old/*": { capabilities: ["read", "create", "update"] } } });
  await bao.api("PUT", `sys/policies/acl/${name}`, { policy });
  for (const argv of [
    ["token", "import"],
    ["token", "show"],
  ]) {
    expect(await stage.run(argv, { PRESTO_STORE: `vault:${path}` }, "a-token")).toMatchObject({
      code,
      err: expect.stringMatching(says),
    });
  }
  expect((await bao.api("GET", path)).status).toBe(404);
  expect((await findings({ PRESTO_STORE: `vault:${path}` })).of("store")).toMatchObject({
    result: "FAIL",
    detail: expect.stringMatching(says),
  });
});

it("plain HTTP to another host is refused before anything is sent", async () => {
  for (const argv of [["start"], ["check"], ["token", "show"]]) {
    const { code, err, out } = await stage.run(argv, { VAULT_ADDR: "http://vault.example:8200" });
    expect([code, err + out]).toEqual([
      78,
      expect.stringContaining(
        "VAULT_ADDR: is plain HTTP to another host, where everybody on the way could read the tokens; use https://",
      ),
    ]);
  }
});

it("both in one entry: whoever uses the token could read the account", async () => {
  const same = { PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: `vault:secret/${name}?field=account` };
  expect(await stage.run(["check"], same)).toMatchObject({
    code: 78,
    err: expect.stringContaining(
      "names the Vault entry of PRESTO_STORE, which whoever uses the token may read whole; give it an entry of its own",
    ),
  });
});

it("edited by hand into nonsense while it serves: nothing is overwritten, the token in hand goes on", async () => {
  await importToken();
  await serve();
  await bao.api("PUT", `secret/data/${name}`, { data: { record: "MARKED nonsense" } });
  await until(
    async () =>
      /is damaged/.test(String(Object((await stage.status())["store_state"]).failure)) ? true : undefined,
    { ...patience, what: "it says so" },
  );
  expect(await askForNone(stage.at("proxy"))).toBe(404);
  const refused = await stage.run(["token", "import"], {}, sandbox.token);
  expect([refused.code, refused.err]).toEqual([78, expect.not.stringContaining("MARKED")]);
  expect((await bao.api("GET", `secret/data/${name}`)).json).toMatchObject({
    data: { data: { record: "MARKED nonsense" } },
  });
});

it("an engine that will delete the token by itself, and a root token: doctor says so", async () => {
  await importToken();
  await bao.api("POST", `secret/metadata/${name}`, { delete_version_after: "720h" });
  await importToken();
  const { code, of } = await findings({ VAULT_TOKEN: bao.rootToken });
  expect(code).toBe(0);
  expect(of("store-object")).toMatchObject({
    result: "WARN",
    mend: `Have it keep its versions: bao kv metadata put -delete-version-after=0s secret/${name}`,
  });
  expect(of("store-login")).toMatchObject({ result: "WARN", detail: expect.stringContaining("root token") });
});

it("sealed: told with the command that unseals, and by the sidecar that goes on with the token in hand", async () => {
  await importToken();
  await serve();
  await bao.seal();
  const { code, of } = await findings();
  expect(code).toBe(69);
  expect(of("store")).toMatchObject({
    result: "FAIL",
    detail: expect.stringContaining("is sealed; have it unsealed with: bao operator unseal"),
  });
  expect(of("store-rights")).toMatchObject({ result: "SKIP" });
  expect(await askForNone(stage.at("proxy"))).toBe(404);
});
