import { systemClock } from "../../../src/clock.ts";
import type { Warning } from "../../../src/lib/events.ts";
import { Secret } from "../../../src/secret.ts";
import { parseVaultAddress, type VaultAccess, type VaultLogin } from "../../../src/store/vault/access.ts";
import { openVaultSession } from "../../../src/store/vault/session.ts";
import { createVaultBackend } from "../../../src/store/vault/vault.ts";
import type { BaoServer } from "./server.ts";

/** How a test gets at a Vault; over TLS unless another address is given. */
export function accessTo(
  server: BaoServer,
  login: VaultLogin,
  more: { readonly url?: string; readonly namespace?: string } = {},
): VaultAccess {
  const address = parseVaultAddress(more.url ?? server.url);
  if (typeof address === "string") throw new Error(address);
  return { address, namespace: more.namespace, caFile: server.caFile, login };
}

/** A token, given by value. */
export function given(token: string): VaultLogin {
  return { method: "token", token: { kind: "value", secret: new Secret(token) } };
}

/** An entry as one process has it, and what that process was warned of. */
export async function openEntry(access: VaultAccess, path: string) {
  const warnings: string[] = [];
  const emit = ({ message }: Warning): void => void warnings.push(message);
  const session = await openVaultSession(access, { clock: systemClock, random: () => 0.5, emit });
  const backend = createVaultBackend(
    { entry: { path, field: "record" }, holds: "token" },
    { session, random: () => 0.5 },
  );
  return {
    ...backend,
    warnings,
    text: async () => {
      const read = await backend.read();
      return read && Buffer.from(read.bytes).toString();
    },
    put: async (text: string) => backend.write(Buffer.from(text), (await backend.read())?.version),
  };
}

/** A policy for an entry of secret/, and what a proxy or an import may do there. */
export async function allow(
  server: BaoServer,
  policy: string,
  path: string,
  capabilities: readonly string[],
) {
  const rules = { path: { [`secret/data/${path}`]: { capabilities } } };
  await server.api("PUT", `sys/policies/acl/${policy}`, { policy: JSON.stringify(rules) });
}

/** An AppRole with that policy. */
export async function makeRole(
  server: BaoServer,
  name: string,
  policy: string,
  more: object = {},
): Promise<VaultLogin> {
  await server.api("POST", "sys/auth/approle", { type: "approle" });
  await server.api("POST", `auth/approle/role/${name}`, { token_policies: [policy], ...more });
  const role = await server.api("GET", `auth/approle/role/${name}/role-id`);
  const secret = await server.api("POST", `auth/approle/role/${name}/secret-id`, {});
  return {
    method: "approle",
    mount: "approle",
    roleId: String(Object(role.json).data.role_id),
    secretId: { kind: "value", secret: new Secret(String(Object(secret.json).data.secret_id)) },
  };
}

/** How many tokens live that were got by a login of the AppRole. */
export async function countLogins(server: BaoServer, role: string): Promise<number> {
  const list = await server.api("GET", "auth/token/accessors?list=true");
  const accessors: unknown[] = Object(list.json).data?.keys ?? [];
  const looked = await Promise.all(
    accessors.map((accessor) => server.api("POST", "auth/token/lookup-accessor", { accessor })),
  );
  return looked.filter(({ json }) => Object(json).data?.meta?.role_name === role).length;
}
