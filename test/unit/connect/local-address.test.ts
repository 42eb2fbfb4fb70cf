import type { NetworkInterfaceInfo } from "node:os";

import { expect, it } from "vitest";

import { ensureLocalAddress, listAddresses } from "../../../src/connect/local-address.ts";

it("an address of this machine is one, whatever its interfaces list", async () => {
  await expect(ensureLocalAddress("127.0.0.1")).resolves.toBeUndefined();
});

it.each(["192.0.2.77", "2001:db8::77"])("%s is none", async (address) => {
  await expect(ensureLocalAddress(address)).rejects.toMatchObject({
    code: "configuration",
    message: expect.stringContaining(`${address} is not an address of this machine`),
  });
});

function info(address: string, family: "IPv4" | "IPv6"): NetworkInterfaceInfo {
  const rest = { address, netmask: "", mac: "", internal: false, cidr: null };
  return family === "IPv4" ? { ...rest, family } : { ...rest, family, scopeid: 0 };
}

it("they are listed as they may be written, link-local ones with their interface", () => {
  const interfaces = {
    lo: [info("127.0.0.1", "IPv4")],
    eth0: [info("10.0.0.2", "IPv4"), info("fe80::1", "IPv6")],
  };
  expect(listAddresses(interfaces)).toBe("127.0.0.1 (lo), 10.0.0.2 (eth0), fe80::1%eth0");
  expect(listAddresses({})).toBe("none");
});
