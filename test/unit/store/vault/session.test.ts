import { createServer } from "node:http";

import { expect, it, onTestFinished } from "vitest";

import { ignore } from "../../../../src/lib/events.ts";
import { Secret } from "../../../../src/secret.ts";
import { parseVaultAddress, type VaultAccess } from "../../../../src/store/vault/access.ts";
import { openVaultSession } from "../../../../src/store/vault/session.ts";
import { createHandClock, type HandClock } from "../../../support/hand-clock.ts";

/** A Vault whose logins are good for so long from when it took them, and whose answers to them are so long under way. */
async function startVault(
  clock: HandClock,
  { lifeMs, answersAfterMs }: Record<"lifeMs" | "answersAfterMs", number>,
) {
  const ends = new Map<string, number>();
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/v1/auth/approle/login") {
      const token = `b.${ends.size + 1}`;
      ends.set(token, clock.monotonic() + lifeMs);
      clock.skip(answersAfterMs);
      const auth = {
        client_token: token,
        lease_duration: lifeMs / 1_000,
        renewable: false,
        token_type: "batch",
      };
      response.end(JSON.stringify({ auth }));
    } else {
      const endsAt = ends.get(String(request.headers["x-vault-token"])) ?? 0;
      response.writeHead(clock.monotonic() < endsAt ? 200 : 403).end("{}");
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    logins: () => ends.size,
  };
}

it("a login whose answer comes late is used for no longer than its life", async () => {
  const clock = createHandClock();
  const vault = await startVault(clock, { lifeMs: 6_000, answersAfterMs: 3_500 });
  const address = parseVaultAddress(`http://127.0.0.1:${vault.port}`);
  if (typeof address === "string") throw new Error(address);
  const access: VaultAccess = {
    address,
    namespace: undefined,
    caFile: undefined,
    login: {
      method: "approle",
      mount: "approle",
      roleId: "role",
      secretId: { kind: "value", secret: new Secret("a-secret-id") },
    },
  };
  const session = await openVaultSession(access, { clock, random: () => 1, emit: ignore });
  onTestFinished(() => session.close());
  for (let read = 0; read < 40; read += 1) {
    const { status } = await session.request("It could not be read", {
      method: "GET",
      path: "secret/data/a",
    });
    expect(status).toBe(200);
    await clock.advance(250);
  }
  expect(vault.logins()).toBeGreaterThan(2);
});
