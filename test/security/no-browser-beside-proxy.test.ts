import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { rawExchange } from "../support/raw-exchange.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { queryCall } from "../support/wallet-call.ts";

// Invariant 11 beside the proxy: what a page can do with the listeners that are not for calls.

let presto: RawPresto;
let sidecar: RunningSidecar;
const closing = "Connection: close";

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:0", PRESTO_HOSTS: "presto.internal" },
  });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

describe("a page in a browser, and the listeners beside the proxy", () => {
  const ask = (port: number, method: string, path: string, ...lines: readonly string[]): Promise<string> =>
    rawExchange(port, [`${method} ${path} HTTP/1.1`, ...lines, closing, "", ""].join("\r\n"));

  it("admin: lets no page read it across origins, and nothing act", async () => {
    for (const path of ["/", "/status", "/metrics", "/readyz"]) {
      const read = await ask(
        sidecar.adminPort,
        "GET",
        path,
        "Host: localhost",
        "Origin: https://evil.example",
      );
      expect(read).not.toMatch(/^access-control-/im);
      expect(read).toMatch(/^cross-origin-resource-policy: same-origin\r$/im);
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
        const refused = await ask(
          sidecar.adminPort,
          method,
          path,
          "Host: localhost",
          "Origin: https://evil.example",
          "Access-Control-Request-Method: GET",
        );
        expect(refused).toMatch(/^HTTP\/1\.1 405 /);
        expect(refused).not.toMatch(/^access-control-/im);
      }
    }
  });

  it("control: obeys no page", async () => {
    const { control } = sidecar.addresses;
    const port = control?.kind === "tcp" ? control.port : 0;
    for (const verb of ["/drain", "/quit", "/reload", "/renew"]) {
      for (const lines of [
        ["Host: localhost"],
        ["Host: localhost", "Presto-Control: 1", "Origin: null"],
        ["Host: localhost", "Presto-Control: 1", "Sec-Fetch-Site: cross-site"],
        ["Host: evil.example", "Presto-Control: 1"],
        ["Host: presto.internal", "Presto-Control: 1"],
      ]) {
        expect(await ask(port, "POST", verb, ...lines)).toMatch(/^HTTP\/1\.1 403 /);
        expect(await ask(port, "GET", verb, ...lines)).toMatch(/^HTTP\/1\.1 405 /);
        expect(await ask(port, "OPTIONS", verb, ...lines)).toMatch(/^HTTP\/1\.1 405 /);
      }
    }
    expect((await exchange(sidecar, queryCall("T-1"))).status).toBe(200);
  });
});
