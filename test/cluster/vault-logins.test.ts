import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import type { VaultLogin } from "../../src/store/vault/access.ts";
import { refusalOf } from "./kube/client.ts";
import { makeNamespace } from "./kube/namespace.ts";
import { type KubeServer, startKubeServer } from "./kube/server.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { accessTo, allow, countLogins, makeRole, openEntry } from "./vault/stores.ts";

// Logins whose tokens end early, and one that asks a real API server.

let server: BaoServer;
let name: string;
let path: string;
beforeAll(async () => {
  server = await startBaoServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  name = randomUUID();
  path = `secret/${name}`;
  await allow(server, name, name, ["read", "create", "update"]);
});

/** Reads for so long, each read a success. @returns the most tokens of the role that lived at one time */
async function readFor(entry: { text(): Promise<unknown> }, ms: number): Promise<number> {
  const endsAt = performance.now() + ms;
  let most = 0;
  while (performance.now() < endsAt) {
    expect(await entry.text()).toBe("x");
    most = Math.max(most, await countLogins(server, name));
    await systemClock.sleep(200);
  }
  return most;
}

describe("by an AppRole", () => {
  it("whose tokens are batch tokens: logged in anew in time, and never revoked, which can't be", async () => {
    const login = await makeRole(server, name, name, { token_type: "batch", token_ttl: "3s" });
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    await readFor(entry, 8_000);
    const beganAt = performance.now();
    await entry.logOut();
    expect(performance.now() - beganAt).toBeLessThan(5_000);
    entry.close();
  });

  it("whose tokens can't be renewed: logged in anew in time", async () => {
    const login = await makeRole(server, name, name, { token_ttl: "3s", token_explicit_max_ttl: "3s" });
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    expect(await readFor(entry, 8_000)).toBeLessThanOrEqual(2);
    await entry.logOut();
    entry.close();
  });

  it("whose tokens may be used a few times: told once, and logged in anew before the last", async () => {
    const login = await makeRole(server, name, name, { token_num_uses: 6 });
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    for (let read = 0; read < 20; read += 1) expect(await entry.text()).toBe("x");
    expect(entry.warnings.length).toBeGreaterThan(0);
    expect(new Set(entry.warnings)).toEqual(
      new Set([expect.stringMatching(/may be used 6 times only; .* Set token_num_uses=0 on its role/)]),
    );
    await entry.logOut();
    entry.close();
  });

  it("whose secret id is still wrapped: told how to unwrap it", async () => {
    const login = await makeRole(server, name, name);
    if (login.method !== "approle") throw new Error("not an AppRole");
    const wrapped = await fetch(`${server.plainUrl}/v1/auth/approle/role/${name}/secret-id`, {
      method: "POST",
      headers: { "x-vault-token": server.rootToken, "x-vault-wrap-ttl": "60s" },
    });
    const answer: unknown = await wrapped.json();
    const token = String(Object(answer).wrap_info.token);
    const secretId = { kind: "value", secret: new Secret(token) } as const;
    const entry = await openEntry(accessTo(server, { ...login, secretId }), path);
    const told = await refusalOf(entry.text());
    expect(told).toMatch(
      /^refused: .*looks like a wrapping token: unwrap it \(bao unwrap -field=secret_id\)/,
    );
    expect(told).not.toContain(token);
    entry.close();
  });

  it("whose secret id was used up: refused at the next login, told, and taken when there is another", async () => {
    const login = await makeRole(server, name, name, {
      secret_id_num_uses: 1,
      token_ttl: "2s",
      token_max_ttl: "2s",
    });
    if (login.method !== "approle" || login.secretId.kind !== "value") throw new Error("not an AppRole");
    const file = join(server.folder, `${name}.secret-id`);
    await writeFile(file, login.secretId.secret.reveal(), { mode: 0o600 });
    const entry = await openEntry(
      accessTo(server, { ...login, secretId: { kind: "file", path: file } }),
      path,
    );
    await entry.put("x");
    await systemClock.sleep(2_500);
    expect(await refusalOf(entry.text())).toMatch(/^refused: .*refuses the login .*secret_id_num_uses/);
    const made = await server.api("POST", `auth/approle/role/${name}/secret-id`, {});
    await writeFile(file, String(Object(made.json).data.secret_id));
    await expect.poll(() => entry.text().catch(() => undefined), { timeout: 40_000 }).toBe("x");
    await entry.logOut();
    entry.close();
  });
});

describe("by a service account of a real Kubernetes", () => {
  let kube: KubeServer;
  beforeAll(async () => {
    kube = await startKubeServer();
    await makeNamespace(kube, "wallet");
    for (const account of ["wallet", "stranger", "reviewer"]) {
      await kube.admin("POST", "/api/v1/namespaces/wallet/serviceaccounts", { metadata: { name: account } });
    }
    // Vault asks the API server whose token it was given.
    await kube.admin("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "reviewer" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" },
      subjects: [{ kind: "ServiceAccount", name: "reviewer", namespace: "wallet" }],
    });
    await server.api("POST", "sys/auth/kubernetes", { type: "kubernetes" });
    await server.api("POST", "auth/kubernetes/config", {
      kubernetes_host: kube.url,
      kubernetes_ca_cert: kube.ca,
      token_reviewer_jwt: await kube.tokenFor("wallet", "reviewer"),
      disable_local_ca_jwt: true,
    });
  });
  afterAll(() => kube.close());

  async function loginOf(account: string): Promise<{ readonly login: VaultLogin; readonly jwtPath: string }> {
    await server.api("POST", `auth/kubernetes/role/${name}`, {
      bound_service_account_names: "wallet",
      bound_service_account_namespaces: "wallet",
      token_policies: [name],
      token_ttl: "1h",
    });
    const jwtPath = join(server.folder, `${name}.jwt`);
    await writeFile(jwtPath, await kube.tokenFor("wallet", account), { mode: 0o600 });
    return { login: { method: "kubernetes", mount: "kubernetes", role: name, jwtPath }, jwtPath };
  }

  it("lets in whom the role names, and gives the login back at the end", async () => {
    const { login } = await loginOf("wallet");
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    expect(await entry.text()).toBe("x");
    await entry.logOut();
    entry.close();
  });

  it("refuses another account, says what to look at, and lets in once the token is the right one", async () => {
    const { login, jwtPath } = await loginOf("stranger");
    const entry = await openEntry(accessTo(server, login), path);
    expect(await refusalOf(entry.text())).toMatch(
      /^refused: .*refuses the login at auth\/kubernetes \(403\)\. See that the role \S+ names this pod's service account and namespace: bao read auth\/kubernetes\/role\//,
    );
    await writeFile(jwtPath, await kube.tokenFor("wallet", "wallet"));
    await expect
      .poll(() => entry.text().catch((error: unknown) => error), { timeout: 40_000 })
      .toBeUndefined();
    entry.close();
  });

  it("sends no token that is empty or half there", async () => {
    const { login, jwtPath } = await loginOf("wallet");
    const whole = await kube.tokenFor("wallet", "wallet");
    const entry = await openEntry(accessTo(server, login), path);
    for (const part of ["", whole.split(".").slice(0, 2).join(".")]) {
      await writeFile(jwtPath, part);
      expect(await refusalOf(entry.text())).toMatch(/^not-yet: There is no service account's token in /);
    }
    await writeFile(jwtPath, whole);
    expect(await entry.text()).toBeUndefined();
    entry.close();
  });

  it("while the API server is away a session goes on; a new one says why not, and is let in soon after", async () => {
    const { login } = await loginOf("wallet");
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    await kube.stopApi();
    expect(await entry.text()).toBe("x");
    const late = await openEntry(accessTo(server, { ...login }), path);
    expect(await refusalOf(late.text())).toMatch(/^(unreachable|refused): /);
    await kube.startApi();
    await expect.poll(() => late.text().catch(() => undefined), { timeout: 60_000 }).toBe("x");
    for (const each of [entry, late]) {
      await each.logOut();
      each.close();
    }
  });
});
