import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { issuePath } from "../support/token-host.ts";
import { until } from "../support/until.ts";
import { watchCli, type WatchedCli } from "../support/watched-cli.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { allow } from "./vault/stores.ts";

// An issue call kills the live token. A store that can't keep the new one has to be found out before.

/** Milliseconds after it was told: an issue call would have come by then. */
const watchedMs = 6_000;
let sandbox: Sandbox;
let folder: string;
let running: WatchedCli | undefined;

beforeAll(async () => {
  sandbox = createSandbox({ issuedAgoMs: 60 * 60_000 });
  await sandbox.start();
});
afterAll(() => sandbox.close());
beforeEach(async () => {
  sandbox.reset();
  folder = await mkdtemp(join(tmpdir(), "issuing-refused-"));
  await writeFile(join(folder, "ca.pem"), sandbox.caPem);
});
afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.ended;
  running = undefined;
  await rm(folder, { recursive: true });
});

function issues(): number {
  return sandbox.state().requests[`POST ${issuePath}`] ?? 0;
}

function startRotator(env: Readonly<Record<string, string>>): WatchedCli {
  running = watchCli(["start"], {
    env: {
      PRESTO_ROLE: "rotator",
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_EMAIL: sandbox.account.email,
      PRESTO_PASSWORD: sandbox.account.password,
      PRESTO_SETTLE: "2s",
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
      PRESTO_LOG_LEVEL: "debug",
      ...env,
    },
  });
  return running;
}

/** It says so, and issues nothing; before that and for a while after. */
async function expectTold(says: RegExp): Promise<void> {
  await until(() => (says.test(output()) ? true : undefined), {
    withinMs: 40_000,
    everyMs: 50,
    what: () => `${String(says)} in: ${output().slice(-3_000)}`,
  });
  await pause(watchedMs);
  expect(issues()).toBe(0);
  expect(output()).not.toContain(sandbox.account.password);
}

function output(): string {
  return running === undefined ? "" : running.out() + running.err();
}

async function expectIssued(): Promise<void> {
  await until(() => (issues() > 0 ? true : undefined), {
    withinMs: 60_000,
    everyMs: 50,
    what: () => `an issue call; the log: ${output().slice(-3_000)}`,
  });
}

describe("over a real OpenBao, nothing is issued", () => {
  let bao: BaoServer;
  beforeAll(async () => {
    bao = await startBaoServer();
  });
  afterAll(() => bao.close());

  async function rotatorAt(path: string, policy: string): Promise<WatchedCli> {
    return startRotator({
      PRESTO_STORE: `vault:${path}`,
      VAULT_ADDR: bao.url,
      VAULT_CACERT: bao.caFile,
      VAULT_TOKEN: await bao.tokenFor(policy),
    });
  }

  it("into an engine of version 1, and says how to mend it", async () => {
    await bao.api("PUT", "sys/policies/acl/old", {
      policy: JSON.stringify({ path: { "old/*": { capabilities: ["read", "create", "update"] } } }),
    });
    await rotatorAt("old/token", "old");
    await expectTold(/bao kv enable-versioning old/);
  });

  it.each([
    ["to write alone", ["create", "update"], /lacks the read capability/],
    ["to read alone", ["read"], /lacks the create and update capability/],
  ])(
    "with a right %s, and says which is missing; then with both",
    { timeout: 120_000 },
    async (_, rights, says) => {
      const policy = `rights-${rights.length}`;
      await allow(bao, policy, policy, rights);
      await rotatorAt(`secret/${policy}`, policy);
      await expectTold(says);
      await allow(bao, policy, policy, ["read", "create", "update"]);
      await expectIssued();
    },
  );
});
