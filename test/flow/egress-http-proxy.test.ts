import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, joinTo, startGateway, untilMet } from "../support/loopback-gateway.ts";
import type { GatewayScript, LoopbackGateway } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { askOver, connectBy, failureOf, openWay } from "../support/way-out.ts";

const authority = await createAuthority();
const opened = "HTTP/1.1 200 Connection established\r\n\r\n";
const request = "GET /marked HTTP/1.1\r\nHost: presto.invalid\r\nAuthorization: Bearer MARKED\r\n\r\n";

/** Presto, known by a name that this machine's resolver does not know. */
async function startPresto(names = ["presto.invalid", "2001:db8::1"]): Promise<RawPresto> {
  const presto = await startRawPresto({ authority, certificate: await authority.issue({ names }) });
  presto.answer(({ socket }) => socket.end("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"));
  onTestFinished(() => presto.close());
  return presto;
}

async function start(script: GatewayScript, overTls = false): Promise<LoopbackGateway> {
  const gateway = await startGateway(script, overTls ? await authority.issue() : undefined);
  onTestFinished(() => gateway.close());
  return gateway;
}

const base = { host: "presto.invalid", port: 443, caPem: authority.certPem };

describe("an egress proxy that speaks CONNECT", () => {
  it.each([false, true])(
    "is asked for a tunnel and sees nothing of what goes through (TLS to it: %s)",
    async (overTls) => {
      const presto = await startPresto();
      const gateway = await start(connectProxy(opened, presto.port), overTls);
      const proxy = `${overTls ? "https://localhost" : "http://127.0.0.1"}:${gateway.port}`;
      const { connector } = await openWay({ ...base, proxy });
      const answer = await askOver(await connectBy(connector), request);
      expect(answer).toMatch(/^HTTP\/1\.1 200 X/);
      expect(presto.requests[0]?.requestLine).toBe("GET /marked HTTP/1.1");
      const [seen = Buffer.alloc(0)] = gateway.received();
      const head = "CONNECT presto.invalid:443 HTTP/1.1\r\nHost: presto.invalid:443\r\n\r\n";
      expect(seen.toString("latin1", 0, head.length)).toBe(head);
      // A TLS handshake record (RFC 8446 section 5.1) comes next.
      expect(seen[head.length]).toBe(22);
      expect(seen.includes("MARKED")).toBe(false);
    },
  );

  it("gets the user and the password, which Presto does not", async () => {
    const presto = await startPresto();
    const gateway = await start(connectProxy(opened, presto.port));
    const { connector } = await openWay({
      ...base,
      proxy: `http://us%C3%A9r:p%3Aw%40rd@127.0.0.1:${gateway.port}`,
    });
    await askOver(await connectBy(connector), request);
    const field = `Proxy-Authorization: Basic ${Buffer.from("usér:p:w@rd").toString("base64")}\r\n`;
    expect(gateway.received()[0]?.toString("latin1")).toContain(field);
    expect(Buffer.concat(presto.wire()).toString("latin1")).toBe(request);
  });

  it("is given an IPv6 address in brackets", async () => {
    const presto = await startPresto();
    const gateway = await start(connectProxy(opened, presto.port));
    const { connector } = await openWay({
      ...base,
      host: "2001:db8::1",
      proxy: `http://127.0.0.1:${gateway.port}`,
    });
    await connectBy(connector);
    expect(gateway.received()[0]?.toString("latin1")).toMatch(
      /^CONNECT \[2001:db8::1\]:443 HTTP\/1\.1\r\nHost: \[2001:db8::1\]:443\r\n\r\n/,
    );
  });

  it("may answer in pieces, with an interim answer before, and with fields that mean nothing here", async () => {
    const presto = await startPresto();
    const pieces = "HTTP/1.0 100 Go on\r\n\r\nHTTP/1.0 299\r\nContent-Length: 7\r\nVia: 1.1 gw\r\n\r\n".split(
      "",
    );
    const gateway = await start((client) =>
      untilMet(client, (bytes) => {
        if (!bytes.includes("\r\n\r\n")) return false;
        client.setNoDelay(true);
        const next = (): void => {
          client.write(pieces.shift() ?? "");
          if (pieces.length === 0) joinTo(client, presto.port);
          else setImmediate(next);
        };
        next();
        return true;
      }),
    );
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect((await connectBy(connector)).authorized).toBe(true);
  });

  it("does not stand in for Presto: name, chain and pins are looked at behind it", async () => {
    const presto = await startPresto(["somebody.invalid"]);
    const gateway = await start(connectProxy(opened, presto.port));
    const proxy = `http://127.0.0.1:${gateway.port}`;
    const wrongName = await openWay({ ...base, proxy });
    expect(await failureOf(wrongName.connector)).toMatchObject({ kind: "untrusted", place: "presto" });
    const wrongPin = await openWay({
      ...base,
      host: "somebody.invalid",
      proxy,
      pins: ["A".repeat(43) + "="],
    });
    expect(await failureOf(wrongPin.connector)).toMatchObject({
      kind: "untrusted",
      message: "certificate refused (ERR_PIN_MISMATCH)",
    });
    expect(Buffer.concat(presto.wire()).length).toBe(0);
  });

  it("over TLS proves who it is, by its own name, and needs no pin", async () => {
    const certificate = await authority.issue();
    const presto = await startRawPresto({
      authority,
      certificate: await authority.issue({ names: ["presto.invalid"] }),
    });
    onTestFinished(() => presto.close());
    const gateway = await startGateway(connectProxy(opened, presto.port), certificate);
    onTestFinished(() => gateway.close());
    const pinned = await openWay({
      ...base,
      proxy: `https://localhost:${gateway.port}`,
      pins: [presto.authority.spkiPin],
    });
    // The proxy was let in by its certificate alone; Presto's key is the one that is pinned.
    expect(await failureOf(pinned.connector)).toMatchObject({
      place: "presto",
      message: expect.stringMatching(/PIN/),
    });
    const stranger = await openWay({
      ...base,
      caPem: (await createAuthority({ name: "Another CA" })).certPem,
      proxy: `https://localhost:${gateway.port}`,
    });
    expect(await failureOf(stranger.connector)).toMatchObject({
      kind: "untrusted",
      place: "egress-proxy",
      proxyStatus: "tls_certificate_error",
      message: expect.stringMatching(/^on the way to the egress proxy: certificate refused/),
    });
    expect(gateway.connections()).toBe(1);
  });

  it("that shows a certificate of another name is not asked for anything", async () => {
    const gateway = await startGateway(
      connectProxy(opened),
      await authority.issue({ names: ["gateway.invalid"] }),
    );
    onTestFinished(() => gateway.close());
    const { connector } = await openWay({ ...base, proxy: `https://u:MARKED@localhost:${gateway.port}` });
    expect(await failureOf(connector)).toMatchObject({ kind: "untrusted", place: "egress-proxy" });
    expect(Buffer.concat(gateway.received()).length).toBe(0);
  });
});
