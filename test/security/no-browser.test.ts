import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { confirmCall, initCall, queryCall, walletPaths } from "../support/wallet-call.ts";

// Invariant 11: a browser can't use the sidecar, on any of the proxy's listeners: a foreign Host (DNS
// rebinding), any Origin, any cross-site Sec-Fetch-Site is refused, and no preflight is granted.

let presto: RawPresto;
let sidecar: RunningSidecar;
let folder: string;
let ports: readonly number[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "presto-browser-"));
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: {
      PRESTO_LISTEN: `127.0.0.1:0,[::1]:0,127.0.0.3:0,unix:${join(folder, "proxy")}`,
      PRESTO_HOSTS: "presto.internal",
    },
  });
  ports = sidecar.addresses.proxy.flatMap((address) => (address.kind === "tcp" ? [address.port] : []));
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const hosts = ["127.0.0.1", "::1", "127.0.0.3"];

/** Sends to each TCP listener of the proxy, and answers status and outcome of each. */
function sendToEach(bytes: string): Promise<string[]> {
  return Promise.all(
    ports.map(async (port, index) => {
      const raw = await exchangeAt(hosts[index] ?? "", port, bytes);
      expect(raw).not.toMatch(/^access-control-/im);
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(raw) ?? [];
      const [, outcome] = /^Presto-Outcome: (\S+)/m.exec(raw) ?? [];
      return `${status} ${outcome}`;
    }),
  );
}

function exchangeAt(host: string, port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let raw = "";
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      raw += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(raw));
    socket.write(bytes);
  });
}

const withHost = (bytes: string, host: string): string => bytes.replace("Host: localhost", `Host: ${host}`);
const closing = "Connection: close";

async function expectRefused(bytes: string, status: number): Promise<void> {
  const before = presto.requests.length;
  const refusal = `${status} not-sent`;
  expect(await sendToEach(bytes)).toEqual([refusal, refusal, refusal]);
  expect(presto.requests).toHaveLength(before);
}

describe("a page in a browser", () => {
  it("is not every caller: a program's call is answered on each listener", async () => {
    const answered = "200 answered";
    for (const bytes of [
      initCall(closing),
      queryCall("T-1", closing),
      queryCall("T-1", closing, "Sec-Fetch-Site: none"),
    ]) {
      expect(await sendToEach(bytes)).toEqual([answered, answered, answered]);
    }
    expect(await sendToEach(withHost(initCall(closing), "presto.internal"))).toEqual([
      answered,
      answered,
      answered,
    ]);
  });

  it.each([
    "evil.example",
    "evil.example:7380",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "a.localhost",
    "localhost.",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0.0.0.0",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "user@localhost",
    "localhost@evil.example",
    "presto.internal.evil.example",
    "xn--lcalhost-54a",
    "localhost,evil.example",
    "localhost evil.example",
    "LOCALHOST/",
  ])("that was led here by a name of its own gets nothing: %s", async (host) => {
    await expectRefused(withHost(confirmCall("T-1", closing), host), 421);
    await expectRefused(withHost(queryCall("T-1", closing), host), 421);
  });

  it.each(["https://evil.example", "http://localhost:7380", "null", "", "file://", "chrome-extension://abc"])(
    "that says where it came from gets nothing: Origin %j",
    async (origin) => {
      await expectRefused(confirmCall("T-1", closing, `Origin: ${origin}`), 403);
      await expectRefused(queryCall("T-1", closing, `oRiGiN: ${origin}`), 403);
      await expectRefused(
        confirmCall("T-1", closing, `Origin: ${origin}`, "Sec-Fetch-Site: same-origin"),
        403,
      );
    },
  );

  it.each(["cross-site", "same-site", "CROSS-SITE", "", "none, cross-site", "nonsense"])(
    "of another site gets nothing: Sec-Fetch-Site %j",
    async (site) => {
      await expectRefused(
        queryCall(
          "T-1",
          closing,
          `Sec-Fetch-Site: ${site}`,
          "Sec-Fetch-Mode: no-cors",
          "Sec-Fetch-Dest: image",
        ),
        403,
      );
      await expectRefused(queryCall("T-1", closing, "Sec-Fetch-Site: none", `Sec-Fetch-Site: ${site}`), 403);
    },
  );

  it("gets nothing by a form", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
    ]) {
      const form = confirmCall(
        "T-1",
        closing,
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
      );
      await expectRefused(form.replace("application/json", type), 403);
    }
  });

  it("gets no leave by a preflight", async () => {
    for (const path of [walletPaths.init, walletPaths.confirm, "*", "/"]) {
      const lines = [
        "Host: localhost",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization, x-request-id",
        "Access-Control-Request-Private-Network: true",
        closing,
      ];
      const from = (origin: readonly string[]): string =>
        [`OPTIONS ${path} HTTP/1.1`, ...lines, ...origin, "", ""].join("\r\n");
      await expectRefused(from(["Origin: https://evil.example"]), 403);
      const without = await sendToEach(from([]));
      for (const answer of without) expect(answer).toMatch(/^40[035] not-sent$/);
    }
  });

  it("gets no socket: neither a websocket nor a tunnel", async () => {
    const websocket = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    await expectRefused(queryCall("T-1", ...websocket, "Origin: https://evil.example", closing), 403);
    await expectRefused(queryCall("T-1", ...websocket, closing), 400);
    await expectRefused("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n", 400);
  });

  it("can't do on a Unix socket what it can't reach: any Host will do there, but no Origin", async () => {
    const path = { path: join(folder, "proxy") };
    const before = presto.requests.length;
    expect((await exchange(path, withHost(queryCall("T-1"), "anything"))).status).toBe(200);
    expect((await exchange(path, queryCall("T-1", "Origin: null"))).status).toBe(403);
    expect(presto.requests).toHaveLength(before + 1);
  });
});
