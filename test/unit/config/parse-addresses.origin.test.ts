import { describe, expect, it } from "vitest";

import { parseHosts, parseOrigin } from "../../../src/config/parse-addresses.ts";
import { InvalidValue } from "../../../src/config/parse.ts";

describe("the origin", () => {
  it.each([
    ["https://presto.example", { url: "https://presto.example", host: "presto.example", port: 443 }],
    ["https://presto.example/", { url: "https://presto.example", host: "presto.example", port: 443 }],
    ["https://presto.example:443", { url: "https://presto.example", host: "presto.example", port: 443 }],
    ["HTTPS://Presto.Example", { url: "https://presto.example", host: "presto.example", port: 443 }],
    ["https://192.0.2.7", { url: "https://192.0.2.7", host: "192.0.2.7", port: 443 }],
    ["https://[2001:DB8:0::1]", { url: "https://[2001:db8::1]", host: "2001:db8::1", port: 443 }],
    ["https://localhost:8443", { url: "https://localhost:8443", host: "localhost", port: 8443 }],
    ["https://127.9.9.9:1", { url: "https://127.9.9.9:1", host: "127.9.9.9", port: 1 }],
    ["https://[::1]:8443", { url: "https://[::1]:8443", host: "::1", port: 8443 }],
  ])("%s is accepted", (text, origin) => {
    expect(parseOrigin(text)).toEqual(origin);
  });

  it.each([
    "https://presto.example:8443",
    "https://192.0.2.7:444",
    "https://[2001:db8::1]:1",
    "https://localhost.presto.example:1",
    "https://a.localhost:1",
  ])("%s: another port than 443 is for loopback hosts alone", (text) => {
    expect(() => parseOrigin(text)).toThrow("port other than 443");
  });

  it.each([
    ["http://presto.example", "plain HTTP"],
    ["presto.example", "not an https:// URL"],
    ["ftp://presto.example", "not an https:// URL"],
    ["https://presto.example/api", "path"],
    ["https://presto.example//", "path"],
    ["https://presto.example?x=1", "query"],
    ["https://presto.example/?", "query"],
    ["https://presto.example#", "fragment"],
    ["https://user:pass@presto.example", "user name"],
    ["https://@presto.example", "user name"],
    ["https://", "host name"],
    ["https://presto.example:", "host name"],
    ["https://presto.example:0", "port that does not exist"],
    ["https://localhost:65536", "port that does not exist"],
    ["https://presto.example.", "a host name that ends with a dot; leave the dot out"],
    ["https://presto..example", "host name"],
    ["https://-presto.example", "host name"],
    ["https://127.1:8443", "host name"],
    ["https://2130706433:8443", "host name"],
    ["https://0x7f.0.0.1:8443", "host name"],
    ["https://127.0.0.01:8443", "host name"],
    ["https://[::ffff:127.0.0.1]:8443", "host name"],
    ["https://[fe80::1%25eth0]", "host name"],
    ["https://prestö.example", "host name"],
    ["https://presto.example\\@evil.example", "user name"],
    ["https://presto.example\\x", "host name"],
    [" https://presto.example", "not an https:// URL"],
    ["https://presto.example ", "host name"],
    ["https://presto.example\n", "host name"],
    ["https://pre\tsto.example", "host name"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseOrigin(text)).toThrow(InvalidValue);
    expect(() => parseOrigin(text)).toThrow(why);
  });

  it("is never repeated in a message: it may hold a password", () => {
    for (const text of [
      "https://user:MARKED@presto.example",
      "https://presto.example/MARKED",
      "MARKED://x",
    ]) {
      expect(() => parseOrigin(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining("MARKED") }),
      );
    }
  });
});

describe("further hosts", () => {
  it("are names and addresses in the form that a Host field is compared in", () => {
    expect(parseHosts("Presto, presto_sidecar.internal,10.0.0.7,[FD00:0::7]")).toEqual([
      "presto",
      "presto_sidecar.internal",
      "10.0.0.7",
      "fd00::7",
    ]);
  });

  it.each([
    ["*.internal", "wildcard"],
    ["presto:7380", "port"],
    ["[::1]:7380", "port"],
    ["http://presto", "scheme"],
    ["presto.", "not a host name"],
    ["127.1", "not a host name"],
    ["fd00::7", "not a host name"],
    ["pre sto", "not a host name"],
    ["presto,", "empty"],
    ["presto,PRESTO", "same as entry 1"],
    [`${"a".repeat(64)}.example`, "not a host name"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseHosts(text)).toThrow(why);
  });
});
