import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { whatLabLacks } from "../support/network-lab.ts";
import { startTwoGateways } from "../support/two-gateways.ts";
import type { TwoGateways } from "../support/two-gateways.ts";

const lack = whatLabLacks();
const arriving = "add chain inet lab arrive { type filter hook input priority 0; }";
const rule = (text: string): readonly string[] => [arriving, `add rule inet lab arrive ${text}`];

describe.skipIf(lack !== undefined)("a way that leads nowhere", () => {
  let net: TwoGateways;
  beforeAll(async () => {
    net = await startTwoGateways();
  });
  afterAll(() => net?.close());
  afterEach(() => net.presto.filter());

  it.each([
    [
      "packets vanish",
      "tcp dport 443 drop",
      "timeout",
      "connection_timeout",
      "not connected within 1500 ms: no TCP connection",
    ],
    [
      "connections are reset at once",
      "tcp dport 443 reject with tcp reset",
      "unreachable",
      "connection_refused",
      "connection refused",
    ],
    [
      "a firewall says no",
      "tcp dport 443 reject with icmpx type admin-prohibited",
      "unreachable",
      "destination_ip_unroutable",
      "no route (EHOSTUNREACH)",
    ],
    [
      "the connection is reset as TLS begins",
      "tcp dport 443 tcp flags & psh == psh reject with tcp reset",
      "unreachable",
      "connection_terminated",
      "connection ended before TLS was up",
    ],
    [
      "nothing comes through any more as TLS begins",
      "tcp dport 443 tcp flags & psh == psh drop",
      "timeout",
      "connection_timeout",
      "not connected within 1500 ms: TLS was not up",
    ],
  ])("where %s", async (_what, dropped, kind, proxyStatus, message) => {
    for (const address of [undefined, "10.77.1.11"]) {
      net.presto.filter(...rule(dropped));
      const end = await net.probe({ timeoutMs: 1_500, ...(address === undefined ? {} : { address }) });
      expect(end).toMatchObject({ failed: { kind, proxyStatus, message, place: "presto" } });
      if (kind === "timeout") expect(end.ms).toBeLessThan(10_000);
      net.presto.filter();
    }
    expect(net.mirror.output()).not.toContain("request:");
  });

  it("costs a quarter of a second where another address of the name leads to Presto", async () => {
    const cases = [
      // IPv4 is dead, and goes first where this machine's IPv6 is local alone (RFC 6724 section 2.1).
      [rule("ip daddr 10.77.0.1 drop"), { url: "https://presto.test" }, "fd77:1::1"],
      // One of two addresses of the only family.
      [rule("ip daddr 10.77.0.2 drop"), { url: "https://both-v4.test" }, "10.77.1.1"],
      // Node's own way tries one address only, where a local one is given.
      [rule("ip daddr 10.77.0.2 drop"), { url: "https://both-v4.test", address: "10.77.1.11" }, "10.77.1.11"],
    ] as const;
    for (const [rules, request, seen] of cases) {
      net.presto.filter(...rules);
      const end = await net.probe({ ...request, timeoutMs: 15_000 });
      expect(end).toMatchObject({ seen });
      expect(end.ms).toBeGreaterThan(240);
      // The one that was not needed is given up, and not at the end of its time.
      await expect.poll(() => net.client.opening(), { timeout: 6_000 }).toBe(0);
      expect(end.ms).toBeLessThan(8_000);
    }
  });

  it("is none where a slow answer is waited for: an address is not given up because the next was tried", async () => {
    // The first SYN is lost: TCP sends it again after a second, long after all addresses have been tried.
    net.presto.filter(
      arriving,
      "add rule inet lab arrive ip daddr 10.77.0.1 drop",
      "add set inet lab known { type ipv4_addr . inet_service; flags dynamic; timeout 10s; }",
      "add rule inet lab arrive ip daddr 10.77.0.2 tcp flags syn ip saddr . tcp sport != @known add @known { ip saddr . tcp sport } drop",
    );
    const end = await net.probe({ url: "https://both-v4.test" });
    expect(end).toMatchObject({ seen: "10.77.1.1" });
    expect(end.ms).toBeGreaterThan(900);
  });
});
