import { describe, expect, it } from "vitest";

import {
  isLocalAddress,
  isSameAddress,
  parseListenAddress,
  parseListenAddresses,
  parseListenAddressOrOff,
} from "../../../src/config/parse-listen.ts";
import { InvalidValue } from "../../../src/config/parse.ts";

describe("an address to listen on", () => {
  it.each([
    ["127.0.0.1:7380", { kind: "tcp", host: "127.0.0.1", port: 7380 }],
    ["127.8.8.8:0", { kind: "tcp", host: "127.8.8.8", port: 0 }],
    ["[::1]:7380", { kind: "tcp", host: "::1", port: 7380 }],
    ["[0:0:0:0:0:0:0:1]:7380", { kind: "tcp", host: "::1", port: 7380 }],
    ["::1:7380", { kind: "tcp", host: "::1", port: 7380 }],
    [":::7380", { kind: "tcp", host: "::", port: 7380 }],
    ["fd00:0::7:7381", { kind: "tcp", host: "fd00::7", port: 7381 }],
    ["1:2:3:4:5:6:7:8:9", { kind: "tcp", host: "1:2:3:4:5:6:7:8", port: 9 }],
    ["0.0.0.0:65535", { kind: "tcp", host: "0.0.0.0", port: 65_535 }],
    ["[::]:7380", { kind: "tcp", host: "::", port: 7380 }],
    ["node-7.internal:7381", { kind: "tcp", host: "node-7.internal", port: 7381 }],
    ["unix:/run/presto.sock", { kind: "unix", path: "/run/presto.sock", mode: 0o600 }],
    ["unix:/run/presto.sock?mode=0660", { kind: "unix", path: "/run/presto.sock", mode: 0o660 }],
    ["unix:/run/presto.sock?mode=640", { kind: "unix", path: "/run/presto.sock", mode: 0o640 }],
  ])("%s is accepted", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it("binds localhost where no resolver can move it", () => {
    expect(parseListenAddress("LocalHost:7380")).toEqual({ kind: "tcp", host: "127.0.0.1", port: 7380 });
  });

  it.each([
    ["", "not an address"],
    ["7380", "not an address"],
    ["127.0.0.1", "not an address"],
    ["127.0.0.1:", "not an address"],
    ["127.0.0.1:http", "not an address"],
    ["127.0.0.1:-1", "not an address"],
    ["127.0.0.1:7380 ", "not an address"],
    ["http://127.0.0.1:7380", "valid host"],
    ["::1", "valid host"],
    ["2001:db8::1", "valid host"],
    ["1:2:3:4:5:6:7:8", "valid host"],
    ["::ffff:127.0.0.1:7380", "valid host"],
    ["fe80::1%eth0:7380", "valid host"],
    [":7380", "0.0.0.0:7380"],
    ["*:7380", "0.0.0.0:7380"],
    ["127.1:7380", "valid host"],
    ["127.0.0.01:7380", "valid host"],
    ["0x7f000001:7380", "valid host"],
    ["[::ffff:127.0.0.1]:7380", "valid host"],
    ["[fe80::1%eth0]:7380", "valid host"],
    ["127.0.0.1:65536", "does not exist"],
    ["127.0.0.1:99999999", "not an address"],
    ["off", "PRESTO_CONTROL_LISTEN"],
    ["unix:run/presto.sock", "absolute"],
    ["unix:", "absolute"],
    ["unix:/run//presto.sock", "odd path"],
    ["unix:/run/../presto.sock", "odd path"],
    ["unix:/run/./presto.sock", "odd path"],
    ["unix:/run/", "odd path"],
    ["unix:/run/prestö.sock", "odd path"],
    ["unix:/run/a\nb", "odd path"],
    [`unix:/${"x".repeat(107)}`, "107 bytes"],
    ["unix:/run/presto.sock?", "mode"],
    ["unix:/run/presto.sock?mode=", "mode"],
    ["unix:/run/presto.sock?mode=rw", "mode"],
    ["unix:/run/presto.sock?mode=0680", "mode"],
    ["unix:/run/presto.sock?mode=04660", "mode"],
    ["unix:/run/presto.sock?mode=4660", "mode"],
    ["unix:/run/presto.sock?owner=me", "mode"],
    ["unix:/run/presto.sock?mode=0660?mode=0666", "mode"],
    ["unix:/run/presto.sock?mode=0060", "locks out its owner"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseListenAddress(text)).toThrow(InvalidValue);
    expect(() => parseListenAddress(text)).toThrow(why);
  });

  it.each(["0661", "0662", "0664", "0666", "0777", "601"])(
    "a socket of mode %s would be open to others, and is refused",
    (mode) => {
      expect(() => parseListenAddress(`unix:/run/presto.sock?mode=${mode}`)).toThrow("every user");
    },
  );

  it("comes in lists, where every bad entry is told by its place", () => {
    expect(parseListenAddresses("127.0.0.1:1,\n  unix:/a")).toHaveLength(2);
    expect(() => parseListenAddresses("127.0.0.1:1,x,,127.0.0.1:99999")).toThrow(
      /entry 2: .*entry 3: .*empty.*entry 4: /,
    );
    expect(() => parseListenAddresses("127.0.0.1:1,")).toThrow("comma too many");
  });

  it("may be off where that is allowed", () => {
    expect(parseListenAddressOrOff("off")).toBe("off");
    expect(parseListenAddressOrOff("127.0.0.1:1")).toEqual({ kind: "tcp", host: "127.0.0.1", port: 1 });
  });
});

describe("who reaches an address", () => {
  it.each(["127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "localhost:1", "unix:/a"])(
    "%s: this machine alone",
    (text) => {
      expect(isLocalAddress(parseListenAddress(text))).toBe(true);
    },
  );

  it.each(["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fd00::1]:1", "localhost.internal:1", "127.example:1"])(
    "%s: others too",
    (text) => {
      expect(isLocalAddress(parseListenAddress(text))).toBe(false);
    },
  );
});

describe("two addresses", () => {
  it.each([
    ["127.0.0.1:1", "localhost:1"],
    ["[::1]:1", "[0::1]:1"],
    ["[::1]:1", "::1:1"],
    ["0.0.0.0:1", "127.0.0.1:1"],
    ["127.0.0.1:1", "[::]:1"],
    ["[::]:1", "0.0.0.0:1"],
    ["[::1]:1", "[::]:1"],
    ["unix:/a", "unix:/a?mode=0660"],
  ])("%s and %s are the same", (one, other) => {
    expect(isSameAddress(parseListenAddress(one), parseListenAddress(other))).toBe(true);
    expect(isSameAddress(parseListenAddress(other), parseListenAddress(one))).toBe(true);
  });

  it.each([
    ["127.0.0.1:1", "127.0.0.1:2"],
    ["127.0.0.1:1", "127.0.0.2:1"],
    ["127.0.0.1:1", "[::1]:1"],
    ["0.0.0.0:1", "[::1]:1"],
    ["127.0.0.1:0", "127.0.0.1:0"],
    ["unix:/a", "unix:/b"],
    ["unix:/a", "127.0.0.1:1"],
  ])("%s and %s are not", (one, other) => {
    expect(isSameAddress(parseListenAddress(one), parseListenAddress(other))).toBe(false);
    expect(isSameAddress(parseListenAddress(other), parseListenAddress(one))).toBe(false);
  });
});
