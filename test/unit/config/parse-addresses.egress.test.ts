import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { describeConfig, formatConfig } from "../../../src/config/describe.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { problemsOf } from "./problems.ts";

const least = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "abc" };

describe("PRESTO_EGRESS_ADDRESS", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:DB8:0:0::7", "2001:db8::7"],
    ["FE80::1%eth0", "fe80::1%eth0"],
  ])("%s is taken, in its one form", (text, localAddress) => {
    expect(loadConfig({ ...least, PRESTO_EGRESS_ADDRESS: text }, []).egress.localAddress).toBe(localAddress);
  });

  it.each([
    ["eth0", /"eth0" is not an IP address/],
    ["203.0.113.7/32", /is not an IP address/],
    ["203.0.113.7:1", /without a port or brackets/],
    ["[::1]", /without a port or brackets/],
    ["::", /stands for every address/],
    ["0.0.0.0", /stands for every address/],
    ["::ffff:10.0.0.1", /write it as four numbers/],
    ["fe80::1", /needs its interface, as in fe80::1%eth0/],
  ])("%s is refused", (text, wrong) => {
    expect(problemsOf({ ...least, PRESTO_EGRESS_ADDRESS: text })).toEqual([expect.stringMatching(wrong)]);
  });
});

describe("PRESTO_EGRESS_PROXY", () => {
  const text = "http://MARKED-user:MARKED%40word@gateway.example:3128";

  it("is read into a proxy, by value or from a file's path", () => {
    const gateway = { kind: "socks5", host: "gateway.example", port: 1080, login: undefined };
    expect(
      loadConfig({ ...least, PRESTO_EGRESS_PROXY: "socks5://gateway.example:1080" }, []).egress.proxy,
    ).toEqual({
      kind: "value",
      proxy: gateway,
    });
    expect(loadConfig({ ...least, PRESTO_EGRESS_PROXY_FILE: "/p" }, []).egress.proxy).toEqual({
      kind: "file",
      path: "/p",
    });
  });

  it("is shown nowhere, not even its user", () => {
    const env = { ...least, PRESTO_EGRESS_PROXY: text };
    const config = loadConfig(env, []);
    const shown = [formatConfig(describeConfig(env)), inspect(config, { depth: 20 }), JSON.stringify(config)];
    for (const output of shown) expect(output).not.toMatch(/MARKED/);
    expect(shown[0]).toMatch(/PRESTO_EGRESS_PROXY +environment +\[secret\]/);
  });

  it.each([
    ["http://u:MARKED@gateway.example", /has no port/],
    ["gateway.example:3128", /is none of http:/],
  ])("%s is refused, and not quoted", (bad, wrong) => {
    const problems = problemsOf({ ...least, PRESTO_EGRESS_PROXY: bad });
    expect(problems).toEqual([expect.stringMatching(wrong)]);
    expect(problems[0]).not.toContain("MARKED");
  });
});
