import { randomUUID } from "node:crypto";

import { afterAll, beforeAll } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { ignore } from "../../src/lib/events.ts";
import { Secret } from "../../src/secret.ts";
import { parseVaultAddress, type VaultAccess } from "../../src/store/vault/access.ts";
import { openVaultSession } from "../../src/store/vault/session.ts";
import { createVaultBackend } from "../../src/store/vault/vault.ts";
import { describeBackend, type PlaceUnderTest } from "../contract/backend.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";

let server: BaoServer;
beforeAll(async () => {
  server = await startBaoServer();
});
afterAll(() => server.close());

/** Over TLS, with the server's own CA. */
function access(): VaultAccess {
  const address = parseVaultAddress(server.url);
  if (typeof address === "string") throw new Error(address);
  return {
    address,
    namespace: undefined,
    caFile: server.caFile,
    login: { method: "token", token: { kind: "value", secret: new Secret(server.rootToken) } },
  };
}

describeBackend(
  "vault",
  async (): Promise<PlaceUnderTest> => {
    const path = `secret/team/${randomUUID()}`;
    const deps = { clock: systemClock, random: () => 0.5, emit: ignore };
    const session = await openVaultSession(access(), deps);
    return {
      view: (holds) => {
        const entry = { path: `${path}-${holds}`, field: "record" };
        // All of them are one process here, whose session ends with the place.
        return createVaultBackend(
          { entry, holds },
          { session: { ...session, close() {} }, random: () => 0.5 },
        );
      },
      async spoil(bytes) {
        const at = path.replace("secret/", "secret/data/");
        for (const holds of ["token", "credentials"])
          await server.api("PUT", `${at}-${holds}`, { data: { record: bytes } });
      },
      dispose: async () => session.close(),
    };
  },
  { watch: false, lock: false, identity: true },
);
