import { expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, socksProxy, startGateway } from "../support/loopback-gateway.ts";
import type { GatewayScript } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { connectBy, openWay } from "../support/way-out.ts";

const authority = await createAuthority();

// RFC 6066 section 3 and RFC 7301: whatever the way, Presto is named, and HTTP/1.1 is all that is offered.
it.each([
  ["straight", "localhost", undefined],
  ["straight", "127.0.0.1", undefined],
  ["through an HTTP proxy", "presto.invalid", (port) => connectProxy("HTTP/1.1 200 X\r\n\r\n", port)],
  ["through a SOCKS5 proxy", "presto.invalid", (port) => socksProxy({ port })],
] satisfies (readonly [string, string, ((port: number) => GatewayScript) | undefined])[])(
  "the greeting %s names %s, unless it is an address, and offers HTTP/1.1 alone",
  async (way, host, script) => {
    const greetings: unknown[] = [];
    const certificate = await authority.issue({ names: ["localhost", "127.0.0.1", "presto.invalid"] });
    const presto = await startRawPresto({
      authority,
      certificate,
      tls: {
        ALPNCallback({ servername, protocols }) {
          greetings.push([servername, protocols]);
          return "http/1.1";
        },
      },
    });
    onTestFinished(() => presto.close());
    let proxy: string | undefined;
    if (script !== undefined) {
      const gateway = await startGateway(script(presto.port));
      onTestFinished(() => gateway.close());
      proxy = `${way.includes("HTTP") ? "http" : "socks5"}://127.0.0.1:${gateway.port}`;
    }
    const egress = await openWay({
      host,
      port: script === undefined ? presto.port : 443,
      caPem: authority.certPem,
      ...(proxy === undefined ? {} : { proxy }),
    });
    const socket = await connectBy(egress.connector);
    expect(socket.alpnProtocol).toBe("http/1.1");
    expect(greetings).toEqual([[host === "127.0.0.1" ? false : host, ["http/1.1"]]]);
  },
);
