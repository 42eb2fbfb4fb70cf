import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../../src/clock.ts";
import { createTokenStore } from "../../../src/store/over-backend.ts";
import { parseVaultAddress } from "../../../src/store/vault/access.ts";
import { startRelay } from "../relay.ts";
import { startBaoCluster } from "../vault/raft.ts";
import { given, openEntry } from "../vault/stores.ts";
import { type FleetPlace, type FleetRole, putToken } from "./place.ts";

const path = "secret/presto";
const capabilities: Readonly<Record<FleetRole, readonly string[]>> = {
  proxy: ["read"],
  rotator: ["read", "create", "update"],
};

/** An entry of three real OpenBaos, behind a load balancer. */
export async function openVaultPlace(): Promise<FleetPlace> {
  const cluster = await startBaoCluster();
  const folder = await mkdtemp(join(tmpdir(), "fleet-vault-"));
  const relay = await startRelay(cluster.urls.map((url) => Number(new URL(url).port)));
  const url = `http://127.0.0.1:${relay.port}`;
  await cluster.api("POST", "sys/auth/approle", { type: "approle" });
  const logins: Readonly<Record<FleetRole, Readonly<Record<string, string>>>> = {
    proxy: await login("proxy"),
    rotator: await login("rotator"),
  };

  async function login(role: FleetRole): Promise<Readonly<Record<string, string>>> {
    const policy = { path: { "secret/data/presto": { capabilities: capabilities[role] } } };
    await cluster.api("PUT", `sys/policies/acl/${role}`, { policy: JSON.stringify(policy) });
    await cluster.api("POST", `auth/approle/role/${role}`, { token_policies: [role], token_ttl: "2m" });
    const id = await cluster.api("GET", `auth/approle/role/${role}/role-id`);
    const secret = await cluster.api("POST", `auth/approle/role/${role}/secret-id`, {});
    const file = join(folder, `${role}.secret-id`);
    await writeFile(file, String(Object(secret.json).data.secret_id), { mode: 0o600 });
    return { PRESTO_VAULT_ROLE_ID: String(Object(id.json).data.role_id), PRESTO_VAULT_SECRET_ID_FILE: file };
  }

  const address = parseVaultAddress(url);
  if (typeof address === "string") throw new Error(address);
  const access = { address, namespace: undefined, caFile: undefined, login: given(cluster.rootToken) };
  const store = createTokenStore(await openEntry(access, path), { keys: undefined, clock: systemClock });
  let killed = 0;
  return {
    kind: "vault",
    relay,
    env: (role) => ({
      PRESTO_STORE: `vault:${path}`,
      VAULT_ADDR: url,
      PRESTO_VAULT_AUTH: "approle",
      ...logins[role],
    }),
    record: async () => (await store.read())?.record,
    put: (token) => putToken(store, token),
    requests: async () => relay.requests(),
    outages: [
      { name: "OpenBao is sealed, and unsealed", begin: cluster.seal, end: cluster.unseal },
      {
        name: "OpenBao's leader is killed, and started",
        async begin() {
          killed = await cluster.killLeader();
        },
        end: async () => cluster.restart(killed),
      },
    ],
    async close() {
      store.close();
      await relay.close();
      await cluster.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
