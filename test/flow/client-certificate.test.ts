import { constants } from "node:crypto";

import { afterEach, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { confirmCall, nextConfirmCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;
afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

/** A server that asks callers for a certificate. */
async function startAsking(
  version: "TLSv1.2" | "TLSv1.3",
  insists: boolean,
  secureOptions = 0,
): Promise<void> {
  presto = await startRawPresto({
    tls: {
      requestCert: true,
      rejectUnauthorized: insists,
      minVersion: version,
      maxVersion: version,
      secureOptions,
    },
  });
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
}

describe.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a server that asks for a client certificate (%s)",
  (version) => {
    it("and insists gets no confirm, again and again, and the caller is told why", async () => {
      await startAsking(version, true);
      for (let count = 0; count < 20; count += 1) {
        const { status, headers, body } = await exchange(sidecar, confirmCall("TRX-1"));
        expect([status, headers["presto-outcome"]]).toEqual([502, "not-sent"]);
        expect(JSON.parse(body)).toMatchObject({
          code: "upstream-untrusted",
          detail: expect.stringMatching(/^nothing was sent: the server asks for a client certificate/),
        });
      }
      expect(presto.requests).toEqual([]);
      expect(sidecar.log()).toContain("the server asks for a client certificate");
    });

    it("and goes on without gets the call, and a warning says that it asks", async () => {
      await startAsking(version, false);
      presto.answer((request) => request.socket.end(httpAnswer(200, "{}", ["Connection: close"])));
      for (let count = 0; count < 2; count += 1) {
        expect((await exchange(sidecar, nextConfirmCall())).headers["presto-outcome"]).toBe("answered");
      }
      expect(sidecar.log().match(/asks for a client certificate, and goes on without one/g)).toHaveLength(1);
    });
  },
);

it("a server that asks, goes on, and gives no ticket is waited for no longer than a second", async () => {
  await startAsking("TLSv1.3", false, constants.SSL_OP_NO_TICKET);
  const from = performance.now();
  expect((await exchange(sidecar, nextConfirmCall())).headers["presto-outcome"]).toBe("answered");
  expect(performance.now() - from).toBeLessThan(15_000);
});

it("a server that does not ask is not waited for", async () => {
  presto = await startRawPresto({ tls: { secureOptions: constants.SSL_OP_NO_TICKET } });
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
  expect((await exchange(sidecar, nextConfirmCall())).headers["presto-outcome"]).toBe("answered");
  expect(sidecar.log()).not.toContain("client certificate");
});
