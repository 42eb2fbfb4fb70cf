import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { whatLabLacks } from "../support/network-lab.ts";
import { startMicrosocks, startTinyproxy } from "../support/real-proxies.ts";
import { startTwoGateways } from "../support/two-gateways.ts";
import type { TwoGateways } from "../support/two-gateways.ts";

const lack = whatLabLacks();

// Real programs: tinyproxy speaks CONNECT, microsocks SOCKS5. What Presto sees is the proxy's own address.
describe.skipIf(lack !== undefined)("a real egress proxy", () => {
  let net: TwoGateways;
  beforeAll(async () => {
    net = await startTwoGateways();
    const { a, b, folder } = net;
    const [atA, atB, atA6] = ["10.77.1.254", "10.77.2.254", "fd77:1::fe"];
    await Promise.all([
      startTinyproxy(a, { listen: atA, port: 3128, folder }),
      startTinyproxy(b, { listen: atB, port: 3128, folder }),
      startTinyproxy(a, { listen: atA6, port: 3128, folder }),
      startTinyproxy(a, { listen: atA, port: 3129, login: "user p.ss-word_1", folder }),
      startTinyproxy(a, { listen: atA, port: 3130, allow: "10.77.1.11", folder }),
      startTinyproxy(a, { listen: atA, port: 3131, forbidden: "^v4", folder }),
      startMicrosocks(a, { listen: atA, port: 1080 }),
      startMicrosocks(b, { listen: atB, port: 1080 }),
      startMicrosocks(a, { listen: atA6, port: 1080 }),
      startMicrosocks(a, { listen: atA, port: 1081, login: ["us:er", "p@ss word"] }),
    ]);
  });
  afterAll(() => net?.close());

  it.each([
    ["http://10.77.1.254:3128", "10.77.8.1"],
    ["http://10.77.2.254:3128", "10.77.9.1"],
    ["http://[fd77:1::fe]:3128", "10.77.8.1"],
    ["http://user:p%2Ess-word_1@10.77.1.254:3129", "10.77.8.1"],
    ["socks5://10.77.1.254:1080", "10.77.8.1"],
    ["socks5://10.77.2.254:1080", "10.77.9.1"],
    ["socks5://[fd77:1::fe]:1080", "10.77.8.1"],
    ["socks5://us%3Aer:p%40ss%20word@10.77.1.254:1081", "10.77.8.1"],
  ])("%s: Presto is called from %s", async (proxy, seen) => {
    expect(await net.probe({ proxy })).toMatchObject({ seen });
  });

  it.each(["http://10.77.1.254:3128", "socks5://10.77.1.254:1080"])(
    "%s resolves the name, which this machine can't",
    async (proxy) => {
      expect(await net.probe({ url: "https://far.test" })).toMatchObject({
        failed: { proxyStatus: "dns_error" },
      });
      expect(await net.probe({ url: "https://far.test", proxy })).toMatchObject({ seen: "10.77.8.1" });
    },
  );

  it.each([
    ["http://10.77.1.254:3128", "https://[fd77::1]"],
    ["socks5://10.77.1.254:1080", "https://[fd77::1]"],
    ["socks5://10.77.1.254:1080", "https://v6.test"],
  ])("%s goes to %s by IPv6", async (proxy, url) => {
    expect(await net.probe({ url, proxy })).toMatchObject({ seen: "fd77:8::fe" });
  });

  it("is reached from PRESTO_EGRESS_ADDRESS: this one lets in 10.77.1.11 alone", async () => {
    const proxy = "http://10.77.1.254:3130";
    expect(await net.probe({ proxy, address: "10.77.1.11" })).toMatchObject({ seen: "10.77.8.1" });
    expect(await net.probe({ proxy, address: "10.77.1.12" })).toMatchObject({
      failed: { kind: "unreachable", place: "egress-proxy" },
    });
  });

  it.each([
    ["http://10.77.1.254:3129", "https://v4.test", /PRESTO_EGRESS_PROXY has none \(407\)$/],
    [
      "http://user:wrong@10.77.1.254:3129",
      "https://v4.test",
      /refused the user and password of PRESTO_EGRESS_PROXY \(401\)$/,
    ],
    ["http://10.77.1.254:3131", "https://v4.test", /does not let us connect to Presto \(403\)$/],
    ["http://10.77.1.254:3128", "https://v4.test:444", /does not let us connect to Presto \(403\)$/],
    ["http://10.77.1.254:3128", "https://nowhere.test", /\(50\d\)$/],
    ["socks5://10.77.1.254:1081", "https://v4.test", /PRESTO_EGRESS_PROXY has none$/],
    ["socks5://us%3Aer:wrong@10.77.1.254:1081", "https://v4.test", /refused the user and password/],
    ["socks5://10.77.1.254:1080", "https://v4.test:444", /\(SOCKS reply 5: Connection refused\)$/],
    ["socks5://10.77.1.254:1080", "https://nowhere.test", /\(SOCKS reply \d: [\w ]+\)$/],
    ["http://10.77.1.254:1080", "https://v4.test", /malformed|closed the connection before it had answered/],
    ["http://10.77.1.254:3199", "https://v4.test", /^on the way to the egress proxy: connection refused$/],
  ])("refuses: %s to %s", async (proxy, url, message) => {
    const end = await net.probe({ proxy, url });
    expect(end).toMatchObject({ failed: { kind: "unreachable", place: "egress-proxy" } });
    expect(end).toMatchObject({ failed: { message: expect.stringMatching(message) } });
  });

  it("that has vanished is told apart from a Presto that has", async () => {
    const arriving = "add chain inet lab arrive { type filter hook input priority 0; }";
    const ways = [
      ["http://10.77.1.254:3128", "the egress proxy did not answer CONNECT"],
      ["socks5://10.77.1.254:1080", "the egress proxy did not give its reply to the request"],
    ] as const;
    try {
      for (const [proxy, waited] of ways) {
        net.a.filter(arriving, "add rule inet lab arrive iifname to-client drop");
        expect(await net.probe({ proxy, timeoutMs: 500 })).toMatchObject({
          failed: {
            kind: "timeout",
            place: "egress-proxy",
            message: "on the way to the egress proxy: not connected within 500 ms: no TCP connection",
          },
        });
        net.a.filter();
        net.presto.filter(arriving, "add rule inet lab arrive tcp dport 443 drop");
        expect(await net.probe({ proxy, timeoutMs: 500 })).toMatchObject({
          failed: {
            kind: "timeout",
            place: "egress-proxy",
            message: `not connected within 500 ms: ${waited}`,
          },
        });
        net.presto.filter();
      }
    } finally {
      net.a.filter();
      net.presto.filter();
    }
  });
});
