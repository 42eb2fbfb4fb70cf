import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, socksProxy, startGateway } from "../support/loopback-gateway.ts";
import type { GatewayScript } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { askOver, connectBy, failureOf, openWay } from "../support/way-out.ts";

const authority = await createAuthority();
const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A Presto that answers with the address that it sees. */
async function startMirror() {
  const presto = await startRawPresto({ authority });
  presto.answer(({ socket }) =>
    socket.end(`HTTP/1.1 200 X\r\nConnection: close\r\n\r\n${socket.remoteAddress ?? ""}`),
  );
  onTestFinished(() => presto.close());
  return presto;
}

// All of 127.0.0.0/8 is this machine's on Linux; elsewhere 127.0.0.1 alone may be.
describe("the address to leave from", () => {
  it("is what Presto sees", async () => {
    const { port } = await startMirror();
    for (const localAddress of ["127.0.0.1", "127.0.0.2", "127.1.2.3"]) {
      const { connector } = await openWay({ port, caPem: authority.certPem, localAddress });
      expect(await askOver(await connectBy(connector), request)).toMatch(
        new RegExp(`\r\n\r\n${localAddress}$`),
      );
    }
  });

  it.each([
    ["http", connectProxy("HTTP/1.1 200 X\r\n\r\n")],
    ["socks5", socksProxy({})],
  ] satisfies (readonly [string, GatewayScript])[])(
    "is what an egress proxy sees (%s)",
    async (scheme, script) => {
      const seen: (string | undefined)[] = [];
      const gateway = await startGateway((client) => {
        seen.push(client.remoteAddress);
        script(client);
        client.once("data", () => client.once("data", () => client.destroy()));
      });
      onTestFinished(() => gateway.close());
      const { connector, describeRoute } = await openWay({
        port: 443,
        caPem: authority.certPem,
        localAddress: "127.0.0.2",
        proxy: `${scheme}://MARKED:MARKED@127.0.0.1:${gateway.port}`,
      });
      await failureOf(connector);
      expect(seen).toEqual(["127.0.0.2"]);
      expect(describeRoute()).toBe(`${scheme}://127.0.0.1:${gateway.port} from 127.0.0.2`);
    },
  );

  it("stops the start where this machine does not have it, and those that it has are named", async () => {
    for (const localAddress of ["192.0.2.77", "2001:db8::77", "fe80::77%lo"]) {
      await expect(openWay({ port: 443, caPem: authority.certPem, localAddress })).rejects.toMatchObject({
        name: "CommandError",
        exitCode: 78,
        message: expect.stringMatching(
          /^PRESTO_EGRESS_ADDRESS: \S+ is not an address of this machine \(\w+\); it has .*127\.0\.0\.1 \(\w+\)/,
        ),
      });
    }
  });

  it("of one family does not reach a host of the other, and it is said why", async () => {
    const { port } = await startMirror();
    const base = { port, caPem: authority.certPem, localAddress: "127.0.0.2" };
    const { connector } = await openWay({ ...base, host: "::1" });
    expect(await failureOf(connector)).toMatchObject({
      kind: "unreachable",
      proxyStatus: "dns_error",
      message: "no IPv4 address, and PRESTO_EGRESS_ADDRESS is one of IPv4",
    });
  });

  it("holds for connections to others, too, which tell nothing of Presto", async () => {
    const mirror = await startMirror();
    const told: string[] = [];
    const { connectorTo } = await openWay({
      port: 443,
      caPem: authority.certPem,
      pins: ["A".repeat(43) + "="],
      localAddress: "127.0.0.2",
      emit({ type }) {
        if (type === "connect-failed") told.push("failed");
        if (type === "peer-certificate") told.push("certificate");
      },
    });
    const other = connectorTo({ url: mirror.url, host: "localhost", port: mirror.port });
    expect(await askOver(await connectBy(other), request)).toMatch(/127\.0\.0\.2$/);
    const closed = createServer();
    await new Promise<void>((resolve) => {
      closed.listen(0, "127.0.0.1", resolve);
    });
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => {
      closed.close(resolve);
    });
    await failureOf(connectorTo({ url: `https://localhost:${port}`, host: "localhost", port }));
    expect(told).toEqual([]);
  });
});
