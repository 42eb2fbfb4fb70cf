import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Secret } from "../../../../src/secret.ts";
import type { VaultLogin } from "../../../../src/store/vault/access.ts";
import { logIn, type SendToVault } from "../../../../src/store/vault/login.ts";

// What is sent, and what is not. Real logins: test/cluster/vault.test.ts.
describe("logging in to a Vault", () => {
  let folder: string;
  let sent: Parameters<SendToVault>[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "vault-"));
    sent = [];
  });
  afterEach(() => rm(folder, { recursive: true }));

  function by(login: VaultLogin, status = 200, body: object = { auth: { client_token: "s.new" } }) {
    const send: SendToVault = async (...request) => {
      sent.push(request);
      return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
    };
    return logIn("It could not be read", login, { send, url: "https://vault.example:8200" });
  }

  const kubernetes = (jwtPath: string): VaultLogin => ({
    method: "kubernetes",
    mount: "clusters/one",
    role: "presto-proxy",
    jwtPath,
  });
  const approle = (secretId: string): VaultLogin => ({
    method: "approle",
    mount: "approle",
    roleId: "role",
    secretId: { kind: "value", secret: new Secret(secretId) },
  });

  it("sends the service account's token, and learns what it got", async () => {
    const path = join(folder, "token");
    await writeFile(path, "head.claims.signature\n");
    const auth = {
      client_token: "s.new",
      lease_duration: 3600,
      renewable: true,
      num_uses: 0,
      token_type: "service",
    };
    const lease = await by(kubernetes(path), 200, { auth });
    expect(lease).toMatchObject({ leaseSeconds: 3600, renewable: true, useLimit: 0, isBatch: false });
    expect(lease.token.reveal()).toBe("s.new");
    const [, request, token] = sent[0] ?? [];
    expect(request).toMatchObject({ method: "POST", path: "auth/clusters/one/login" });
    expect(JSON.parse(request?.body ?? "")).toEqual({ role: "presto-proxy", jwt: "head.claims.signature" });
    expect(token).toBeUndefined();
  });

  it.each([
    ["absent", undefined],
    ["empty", ""],
    ["half written", "head.claims."],
    ["of another kind", "s.token"],
  ])("sends nothing while that token is %s", async (_what, text) => {
    const path = join(folder, "token");
    if (text !== undefined) await writeFile(path, text);
    await expect(by(kubernetes(path))).rejects.toMatchObject({
      code: "not-yet",
      message: expect.stringContaining("projected volume"),
    });
    expect(sent).toEqual([]);
  });

  it.each<[VaultLogin, number, RegExp]>([
    [approle("hvs.wrapped"), 400, /looks like a wrapping token: unwrap it/],
    [approle("a-secret-id"), 400, /secret_id_num_uses/],
    [approle("a-secret-id"), 404, /no such login: see bao auth list, and PRESTO_VAULT_MOUNT/],
  ])("says what to look at when it is refused", async (login, status, says) => {
    const error: unknown = await by(login, status, { errors: ["MARKED"] }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "refused", message: expect.stringMatching(says) });
    expect(error).toMatchObject({ message: expect.not.stringMatching(/MARKED|hvs\.|a-secret-id/) });
  });

  it("takes an answer without a token for none", async () => {
    await expect(by(approle("x"), 200, { auth: null })).rejects.toMatchObject({ code: "unreachable" });
  });
});
