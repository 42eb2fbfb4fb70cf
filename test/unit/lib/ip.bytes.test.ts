import { SocketAddress } from "node:net";

import * as fc from "fast-check";
import { expect, it } from "vitest";

import { addressBytes } from "../../../src/lib/ip.ts";

it("an IPv4 address is its four numbers", () => {
  expect([...addressBytes("192.0.2.255")]).toEqual([192, 0, 2, 255]);
});

it.each([
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["1::", "00010000000000000000000000000000"],
  ["2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006"],
  ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
  ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
])("%s is %s", (address, hex) => {
  expect(addressBytes(address).toString("hex")).toBe(hex);
});

it("any 16 bytes survive being written as the system writes them", () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(groups, (numbers) => {
      const long = numbers.map((group) => group.toString(16)).join(":");
      const { address } = new SocketAddress({ address: long, family: "ipv6" });
      const hex = numbers.map((group) => group.toString(16).padStart(4, "0")).join("");
      expect(addressBytes(address).toString("hex")).toBe(hex);
    }),
  );
});
