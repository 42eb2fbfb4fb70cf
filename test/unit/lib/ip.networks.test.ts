import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  type Address,
  isIn,
  type Network,
  parseAddress,
  parseNetwork,
  speaksOf,
} from "../../../src/lib/ip.ts";

function network(text: string): Network {
  const { network, wrong } = parseNetwork(text);
  if (network === undefined) throw new Error(`${text} ${wrong}`);
  return network;
}

function address(text: string): Address {
  const found = parseAddress(text);
  if (found === undefined) throw new Error(`${text} is no address`);
  return found;
}

describe("an address as a server wrote it", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    ["2001:db8:0:0:1::", "2001:db8:0:0:1::"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["::1", "::1"],
    ["10.0.0.1", "10.0.0.1"],
  ])("%s is %s", (text, canonical) => {
    expect(parseAddress(text)?.text).toBe(canonical);
  });

  it.each([
    "",
    "localhost",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "192.0.2.1/32",
    "192.0.2.1:443",
    "[2001:db8::1]",
    "fe80::1%eth0",
    "::",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
    " 192.0.2.1",
    "3221225985",
    "::ffff:0.0.0.0",
  ])("%j is none that a connection comes from", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe("a registered address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1/32", "192.0.2.1"],
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["128.0.0.0/1", "128.0.0.0/1"],
    ["2001:DB8::/32", "2001:db8::/32"],
    ["2001:db8::1/128", "2001:db8::1"],
    ["2001:db8:8000::/33", "2001:db8:8000::/33"],
  ])("%s is read as %s", (text, canonical) => {
    expect(network(text).text).toBe(canonical);
  });

  it.each([
    ["eth0", "neither an IP address nor a CIDR"],
    ["192.0.2.1-192.0.2.9", "neither an IP address nor a CIDR"],
    ["192.0.2/24", "neither an IP address nor a CIDR"],
    ["/24", "neither an IP address nor a CIDR"],
    ["192.0.2.0/", "number of bits"],
    ["192.0.2.0/255.255.255.0", "number of bits"],
    ["192.0.2.0/024", "number of bits"],
    ["192.0.2.0/+24", "number of bits"],
    ["192.0.2.0/24/24", "number of bits"],
    ["192.0.2.0/33", "has 32 bits"],
    ["2001:db8::/129", "has 128 bits"],
    ["0.0.0.0/0", "every address"],
    ["::/0", "every address"],
    ["::ffff:192.0.2.1", "four numbers"],
    ["::ffff:192.0.2.0/120", "four numbers"],
    ["fe80::1%eth0", "zone"],
    ["0.0.0.0", "not an address that connections come from"],
    ["224.0.0.0/4", "not an address that connections come from"],
    ["ff00::/8", "not an address that connections come from"],
  ])("%s is refused: %s", (text, why) => {
    expect(parseNetwork(text).wrong).toContain(why);
  });

  it.each([
    ["192.0.2.7/24", "192.0.2.0/24", "192.0.2.7"],
    ["10.1.2.3/8", "10.0.0.0/8", "10.1.2.3"],
    ["192.0.2.129/25", "192.0.2.128/25", "192.0.2.129"],
    ["2001:db8::1/32", "2001:db8::/32", "2001:db8::1"],
  ])("%s has bits beyond its prefix: the network %s and the address %s are named", (text, wide, single) => {
    const { wrong } = parseNetwork(text);
    expect(wrong).toContain(`write ${wide} for the network`);
    expect(wrong).toContain(`or ${single} for the one address`);
  });
});

describe("being in a set", () => {
  const set = ["192.0.2.7", "198.51.100.128/25", "2001:db8:7::/49"].map(network);

  it.each([
    ["192.0.2.7", true],
    ["::ffff:192.0.2.7", true],
    ["192.0.2.8", false],
    ["198.51.100.128", true],
    ["198.51.100.255", true],
    ["198.51.100.127", false],
    ["2001:db8:7::1", true],
    ["2001:db8:7:7fff:ffff::", true],
    ["2001:db8:7:8000::", false],
    // The same first bytes as 192.0.2.7.
    ["c000:207::", false],
  ])("%s: %s", (text, expected) => {
    expect(isIn(set, address(text))).toBe(expected);
  });

  it("says nothing of another version of IP", () => {
    const four = [network("192.0.2.7")];
    expect(speaksOf(four, address("198.51.100.1"))).toBe(true);
    expect(speaksOf(four, address("2001:db8::1"))).toBe(false);
    expect(speaksOf([], address("192.0.2.7"))).toBe(false);
  });

  it("agrees with arithmetic on numbers, whatever the prefix", () => {
    const four = fc.integer({ min: 2 ** 24, max: 224 * 2 ** 24 - 1 });
    const dotted = (number: number): string =>
      [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
    fc.assert(
      fc.property(four, four, fc.integer({ min: 1, max: 32 }), (one, other, prefix) => {
        const size = 2 ** (32 - prefix);
        const first = Math.floor(one / size) * size;
        const { network: found } = parseNetwork(`${dotted(first)}/${prefix}`);
        fc.pre(found !== undefined);
        expect(isIn([found], address(dotted(other)))).toBe(other >= first && other < first + size);
        expect(isIn([found], address(dotted(one)))).toBe(true);
      }),
    );
  });
});
