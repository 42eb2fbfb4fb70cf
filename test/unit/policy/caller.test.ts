import { describe, expect, it } from "vitest";

import { hostNames, checkCaller } from "../../../src/policy/caller.ts";

const names = hostNames("Presto.example", ["Sidecar", "sidecar.internal"]);

describe("checkCaller", () => {
  it.each([
    "localhost",
    "localhost:1",
    "localhost:7380",
    "localhost:65535",
    "LOCALHOST:7380",
    "127.0.0.1",
    "127.0.0.1:7380",
    "127.255.255.254",
    "127.0.1.9:80",
    "127.100.200.255",
    "[::1]",
    "[::1]:7380",
    "presto.example",
    "PRESTO.EXAMPLE:443",
    "sidecar:7380",
    "SideCar",
    "sidecar.internal:1",
  ])("accepts a call to %s", (host) => {
    for (const name of ["Host", "host", "HOST"]) {
      expect(checkCaller([name, host, "Accept", "*/*"], { unixSocket: false, names })).toEqual({
        ok: true,
      });
    }
  });

  it.each(["x", "anything.example:99", "localhost.", "127.1"])(
    "accepts any one Host on a Unix socket: %s",
    (host) => {
      expect(checkCaller(["Host", host], { unixSocket: true, names })).toEqual({ ok: true });
    },
  );

  it.each(["none", "same-origin"])("accepts Sec-Fetch-Site: %s", (site) => {
    const sent = ["Sec-Fetch-Site", site, "Host", "localhost", "Sec-Fetch-Mode", "cors"];
    expect(checkCaller(sent, { unixSocket: false, names })).toEqual({ ok: true });
  });

  it("takes an upstream or a listed name that is an IPv6 address in its brackets", () => {
    const addresses = hostNames("2001:db8::1", ["[2001:DB8::2]"]);
    const rules = { unixSocket: false, names: addresses };
    expect(checkCaller(["Host", "[2001:db8::1]:443"], rules).ok).toBe(true);
    expect(checkCaller(["Host", "[2001:db8::2]"], rules).ok).toBe(true);
    expect(checkCaller(["Host", "2001:db8::1"], rules).ok).toBe(false);
  });

  it("says which names may be used", () => {
    const verdict = checkCaller(["Host", "evil.example"], { unixSocket: false, names });
    expect(verdict.ok ? "" : verdict.detail).toContain("PRESTO_HOSTS");
  });
});
