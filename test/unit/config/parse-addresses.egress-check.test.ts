import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";
import { parseCheckUrls, parseEgressIps } from "../../../src/config/parse-addresses.ts";
import { InvalidValue } from "../../../src/config/parse.ts";

describe("PRESTO_EGRESS_IPS", () => {
  it("is a list of addresses and CIDRs", () => {
    const list = parseEgressIps("203.0.113.7, 198.51.100.0/24,\n2001:DB8::/32");
    expect(list.map(({ text }) => text)).toEqual(["203.0.113.7", "198.51.100.0/24", "2001:db8::/32"]);
  });

  it.each([
    ["", "it is empty"],
    ["203.0.113.7,", "entry 2: it is empty"],
    ["10.0.0.1/8", '"10.0.0.1/8" is no CIDR: the address goes beyond its 8 bits; write 10.0.0.0/8'],
    ["10.0.0.0/33", '"10.0.0.0/33" is no CIDR: such an address has 32 bits'],
    ["gateway", '"gateway" is neither an IP address nor a CIDR'],
    ["203.0.113.7,203.0.113.7/32", "entry 2: it is the same as entry 1"],
    ["203.0.113.7,x,10.0.0.0/x", "entry 2"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseEgressIps(text)).toThrow(InvalidValue);
    expect(() => parseEgressIps(text)).toThrow(why);
  });
});

describe("PRESTO_EGRESS_CHECK_URL", () => {
  it.each([
    ["https://ip.example", "https://ip.example", "/", "ip.example"],
    ["https://IP.example/", "https://ip.example", "/", "ip.example"],
    ["https://ip.example:443/json", "https://ip.example", "/json", "ip.example"],
    ["https://ip.example:8443/a?key=1", "https://ip.example:8443", "/a?key=1", "ip.example:8443"],
    ["https://ip.example?format=json", "https://ip.example", "/?format=json", "ip.example"],
    ["https://[2001:DB8::1]/", "https://[2001:db8::1]", "/", "[2001:db8::1]"],
    ["https://[::1]:8443", "https://[::1]:8443", "/", "[::1]:8443"],
    ["https://ip.example/?at=a@b", "https://ip.example", "/?at=a@b", "ip.example"],
  ])("%s is asked at %s for %s", (text, url, target, name) => {
    expect(parseCheckUrls(text)).toMatchObject([{ origin: { url }, target, name }]);
  });

  it.each([
    ["", "it is empty"],
    ["http://ip.example/", "plain HTTP"],
    ["ip.example", "not an https:// URL"],
    ["https://", "has no host"],
    ["https:///path", "has no host"],
    ["https://:8443/", "has no host"],
    ["https://?x", "has no host"],
    ["https://ip..example/", "no valid host name"],
    ["https://ip.example./", "ends with a dot; leave the dot out"],
    ["https://127.1/", "no valid host name"],
    ["https://ip.example:0/", "port that does not exist"],
    ["https://ip.example:65536/", "port that does not exist"],
    ["https://u:p@ip.example/", "user name or a password"],
    ["https://ip.example/#a", "fragment"],
    ["https://ip.example/a b", "character that no URL has"],
    ["https://ip.example\\@other.example/", "character that no URL has"],
    ["https://ip.example/,", "entry 2: it is empty"],
    [
      "https://ip.example/a,https://other.example/,https://ip.example/b",
      "entry 3: has the same server as entry 1",
    ],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseCheckUrls(text)).toThrow(InvalidValue);
    expect(() => parseCheckUrls(text)).toThrow(why);
  });
});

describe("the configuration", () => {
  const least = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "t" };

  it("compares nothing and asks nobody unless told to", () => {
    expect(loadConfig(least, []).egressCheck).toEqual({ registered: [], urls: [] });
  });

  it("warns that registered addresses alone do nothing", () => {
    const env = { ...least, PRESTO_EGRESS_IPS: "203.0.113.7" };
    expect(loadConfig(env, []).warnings.join()).toContain("compared with nothing");
    const both = { ...env, PRESTO_EGRESS_CHECK_URL: "https://ip.example/" };
    expect(loadConfig(both, []).warnings).toEqual([]);
    expect(loadConfig(both, []).egressCheck).toMatchObject({
      registered: [{ text: "203.0.113.7" }],
      urls: [{ name: "ip.example" }],
    });
  });
});
