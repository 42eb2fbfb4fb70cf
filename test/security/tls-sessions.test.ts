import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority, createSelfSigned } from "../../src/sandbox/certificates.ts";
import { createHandClock } from "../support/hand-clock.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import {
  accepted,
  authority,
  callThrough,
  closing,
  createFolder,
  query,
  refused,
  startPresto,
  startWith,
} from "../support/trust-trial.ts";
import { openWay } from "../support/way-out.ts";

// Invariant 1, third part: Node looks at no name and no pin when a TLS session is resumed, so a
// session must be no way around them.

describe.each(["TLSv1.2", "TLSv1.3"] as const)("a session of %s", (version) => {
  const tls = { minVersion: version, maxVersion: version } as const;
  const flaws = {
    "of another authority": async () => (await createAuthority({ name: "Another CA" })).issue(),
    "for another name": () => authority.issue({ names: ["presto.invalid"] }),
    "that has expired": () => authority.issue({ notAfter: new Date(Date.now() - 60_000) }),
  };

  it.each(Object.entries(flaws))("does not let in a certificate %s", async (_flaw, issue) => {
    const presto = await startPresto({ tls });
    const sidecar = await startWith(presto);
    const reused: boolean[] = [];
    presto.answer((request) => {
      reused.push(request.socket.isSessionReused());
      request.socket.end(closing);
    });
    expect(await callThrough(sidecar, presto)).toBe(accepted);
    expect(await callThrough(sidecar, presto)).toBe(accepted);
    // Sessions are resumed at all, so the next line says something.
    expect(reused).toEqual([false, true]);
    presto.present(await issue());
    expect(await callThrough(sidecar, presto)).toBe(refused);
    presto.present(await authority.issue());
    expect(await callThrough(sidecar, presto)).toBe(accepted);
  });

  it("is forgotten with the list that it was made under", async () => {
    const caFile = join(createFolder(), "ca.pem");
    writeFileSync(caFile, authority.certPem);
    const presto = await startPresto({ tls });
    const sidecar = await startWith(presto, { PRESTO_CA_FILE: caFile });
    expect(await callThrough(sidecar, presto)).toBe(accepted);
    writeFileSync(caFile, (await createAuthority({ name: "The next CA" })).certPem);
    await sidecar.app.reload();
    // The server would resume it: its certificate, and the keys of its tickets, are the same.
    expect(await callThrough(sidecar, presto)).toBe(refused);
  });

  it("stands for ten minutes at most, and is not prolonged by being resumed", async () => {
    // Servers that share the keys of their tickets resume each other's sessions without a look at the certificate.
    const ticketKeys = Buffer.alloc(48, 7);
    const presto = await startRawPresto({ authority, tls: { ...tls, ticketKeys } });
    onTestFinished(() => presto.close());
    const clock = createHandClock();
    const { connector } = await openWay({ port: presto.port, caPem: authority.certPem, clock });
    const connect = (): Promise<string> =>
      new Promise((resolve) => {
        connector.connect((error, socket) => {
          if (socket === null) return resolve(error?.kind ?? "no error");
          const kind = socket.isSessionReused() ? "resumed" : "full";
          // Its tickets come after the handshake (RFC 8446 section 4.6.1), before the answer to a request.
          socket.once("data", () => {
            // Other servers give a new ticket whenever one is used; Node's does not, so it is handed in here.
            const session = socket.getSession();
            if (session !== undefined) socket.emit("session", session);
            socket.destroy();
          });
          socket.once("close", () => resolve(kind));
          socket.write(query);
        });
      });
    expect(await connect()).toBe("full");
    presto.present(await createSelfSigned());
    for (let minutes = 0; minutes < 9; minutes += 3) {
      await clock.advance(3 * 60_000);
      expect(await connect()).toBe("resumed");
    }
    await clock.advance(61_000);
    expect(await connect()).toBe("untrusted");
  });
});
