import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, socksProxy, startGateway } from "../support/loopback-gateway.ts";
import type { GatewayScript } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { openWay } from "../support/way-out.ts";

const authority = await createAuthority();

describe("an attempt that nobody waits for any more", () => {
  it.each([
    ["while TLS begins", undefined, () => {}],
    ["while an HTTP proxy is silent", "http", () => {}],
    ["while a SOCKS5 proxy is silent", "socks5", () => {}],
    ["while TLS begins, through an HTTP proxy", "http", connectProxy("HTTP/1.1 200 X\r\n\r\n")],
    ["while TLS begins, through a SOCKS5 proxy", "socks5", socksProxy({})],
  ] satisfies (readonly [string, string | undefined, GatewayScript])[])(
    "leaves no connection, and tells nothing: %s",
    async (_what, scheme, script) => {
      const other = await startGateway(script);
      onTestFinished(() => other.close());
      const told: string[] = [];
      const { connector } = await openWay({
        port: other.port,
        caPem: authority.certPem,
        ...(scheme === undefined ? {} : { proxy: `${scheme}://127.0.0.1:${other.port}` }),
        emit({ type }) {
          if (type === "connect-failed") told.push("failed");
        },
      });
      const attempt = connector.connect(() => told.push("done"));
      await expect.poll(() => Buffer.concat(other.received()).length).toBeGreaterThan(0);
      attempt.destroy();
      await expect.poll(() => other.open()).toBe(0);
      expect(told).toEqual([]);
    },
  );

  it("leaves none in the very moment in which TLS is up", async () => {
    const presto = await startRawPresto({ authority });
    onTestFinished(() => presto.close());
    const told: string[] = [];
    const { connector } = await openWay({
      port: presto.port,
      caPem: authority.certPem,
      emit({ type }) {
        if (type !== "peer-certificate") return;
        told.push("up");
        attempt.destroy();
      },
    });
    const attempt = connector.connect(() => told.push("done"));
    await expect.poll(() => told).toEqual(["up"]);
    await expect.poll(() => presto.open()).toBe(0);
    expect(told).toEqual(["up"]);
  });
});
