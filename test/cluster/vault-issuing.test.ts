import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { type IssuingStage, openIssuingStage } from "./refused-issues.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { allow } from "./vault/stores.ts";

describe("over a real OpenBao, nothing is issued", () => {
  let sandbox: Sandbox;
  let bao: BaoServer;
  let stage: IssuingStage;
  beforeAll(async () => {
    [bao, sandbox] = [await startBaoServer(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
    await sandbox.start();
  });
  afterAll(async () => {
    await sandbox.close();
    await bao.close();
  });
  beforeEach(async () => {
    stage = await openIssuingStage(sandbox);
  });
  afterEach(() => stage.close());

  async function rotateAt(path: string, policy: string): Promise<void> {
    stage.rotate({
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
    await rotateAt("old/token", "old");
    await stage.expectTold(/bao kv enable-versioning old/);
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
      await rotateAt(`secret/${policy}`, policy);
      await stage.expectTold(says);
      await allow(bao, policy, policy, ["read", "create", "update"]);
      await stage.expectIssued();
      expect(stage.issues()).toBe(1);
    },
  );
});
