import { createServer } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext } from "node:tls";

import { afterEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createDirectConnector } from "../../../src/connect/direct.ts";
import type { ConnectError } from "../../../src/connect/errors.ts";
import { createAuthority } from "../../../src/sandbox/certificates.ts";

describe("a connection to a store's server", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function connectTo(
    names: readonly string[],
    serverName: string,
    trusted: "its CA" | "another",
  ): Promise<unknown> {
    const [authority, other] = await Promise.all([createAuthority(), createAuthority()]);
    const { certPem: cert, keyPem: key } = await authority.issue({ names });
    const server = createServer({ cert, key });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    const context = createSecureContext({ ca: (trusted === "its CA" ? authority : other).certPem });
    const connector = createDirectConnector({
      server: { host: "127.0.0.1", port: address.port },
      tls: { context: () => context, serverName },
      timeoutMs: 5_000,
      clock: systemClock,
    });
    ends.push(() => server.close(), connector.close);
    return new Promise((resolve) => {
      connector.connect((error: ConnectError | null, socket: Socket | null) => {
        socket?.destroy();
        resolve(error ?? "connected");
      });
    });
  }

  it("is had where the certificate has the name, and comes from a CA that is trusted", async () => {
    expect(await connectTo(["vault.example"], "vault.example", "its CA")).toBe("connected");
    expect(await connectTo(["127.0.0.1"], "127.0.0.1", "its CA")).toBe("connected");
  });

  it.each([
    ["has another name", ["other.example"], "its CA"],
    ["comes from another CA", ["vault.example"], "another"],
  ] as const)("is refused where the certificate %s", async (_what, names, trusted) => {
    expect(await connectTo(names, "vault.example", trusted)).toMatchObject({ kind: "untrusted" });
  });
});
