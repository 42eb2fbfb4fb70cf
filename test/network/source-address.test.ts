import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { whatLabLacks } from "../support/network-lab.ts";
import { startTwoGateways } from "../support/two-gateways.ts";
import type { TwoGateways } from "../support/two-gateways.ts";

const lack = whatLabLacks();

describe.skipIf(lack !== undefined)("the address that Presto sees", () => {
  let net: TwoGateways;
  beforeAll(async () => {
    net = await startTwoGateways();
  });
  afterAll(() => net?.close());

  it.each([
    ["10.77.1.1", "https://v4.test"],
    ["10.77.1.11", "https://v4.test"],
    ["10.77.1.12", "https://10.77.0.1"],
    // The name has an IPv6 address, too, and it comes first.
    ["10.77.1.12", "https://presto.test"],
    ["fd77:1::1", "https://v6.test"],
    ["fd77:1::11", "https://[fd77::1]"],
    ["fd77:1::11", "https://presto.test"],
  ])("is %s where PRESTO_EGRESS_ADDRESS is, to %s", async (address, url) => {
    expect(await net.probe({ address, url })).toMatchObject({ seen: address });
  });

  it.each([
    ["https://v4.test", "10.77.1.1"],
    ["https://v6.test", "fd77:1::1"],
  ])("is the system's choice where it is not set: %s is called from %s", async (url, seen) => {
    expect(await net.probe({ url })).toMatchObject({ seen });
  });

  it("decides by which of two gateways it is reached: gateway b translates", async () => {
    expect(await net.probe({ address: "10.77.2.1" })).toMatchObject({ seen: "10.77.9.1" });
    expect(await net.probe({ address: "10.77.1.1" })).toMatchObject({ seen: "10.77.1.1" });
  });

  it("can't be of the other family", async () => {
    expect(await net.probe({ address: "10.77.1.1", url: "https://v6.test" })).toMatchObject({
      failed: {
        kind: "unreachable",
        proxyStatus: "dns_error",
        message: expect.stringContaining("no IPv4 address"),
      },
    });
    expect(await net.probe({ address: "fd77:1::1", url: "https://v4.test" })).toMatchObject({
      failed: { message: expect.stringContaining("no IPv6 address") },
    });
  });

  it("can't be one that the machine does not have, and those that it has are listed", async () => {
    const end = await net.probe({ address: "10.77.1.99" });
    expect(end).toMatchObject({
      refused: expect.stringMatching(
        /^PRESTO_EGRESS_ADDRESS: 10\.77\.1\.99 is not an address of this machine \(EADDRNOTAVAIL\); it has .*10\.77\.1\.11 \(to-a\).*10\.77\.2\.1 \(to-b\)/,
      ),
    });
    expect(end).toMatchObject({ refused: expect.stringMatching(/fe80::[0-9a-f:]+%to-a/) });
  });
});
