import { describe, expect, it } from "vitest";

import { findPortNumbers, findUnknownVariables } from "../../../src/config/read.ts";
import { variableNames } from "../../../src/config/variables.ts";

describe("unknown names", () => {
  it.each([
    ["PRESTO_TIMEOT", "PRESTO_TIMEOUT"],
    ["PRESTO_TOKENFILE", "PRESTO_TOKEN_FILE"],
    ["PRESTO_ADMIN_LISTENER", "PRESTO_ADMIN_LISTEN"],
    ["PRESTO_LOGLEVEL", "PRESTO_LOG_LEVEL"],
    ["PRESTO_url", "PRESTO_URL"],
    ["PRESTO_timeout", "PRESTO_TIMEOUT"],
    ["PRESTO_Store_Kye", "PRESTO_STORE_KEY"],
    ["PRESTO_TIMEOUT_", "PRESTO_TIMEOUT"],
    ["PRESTO_STORE_KEYS", "PRESTO_STORE_KEY"],
    ["PRESTO_RENEW_WHEN", "PRESTO_RENEW_AT"],
    ["PRESTO_PASWORD", "PRESTO_PASSWORD"],
  ])("%s is refused, and the nearest is %s", (name, nearest) => {
    const [problem] = findUnknownVariables({ [name]: "MARKED" });
    expect(problem?.variable).toBe(name);
    expect(problem?.wrong).toMatch(new RegExp(`nearest known one is ${nearest}$`));
    expect(JSON.stringify(problem)).not.toContain("MARKED");
  });

  it("are refused though they be empty: it is the name that is wrong", () => {
    expect(findUnknownVariables({ PRESTO_TIMEOT: "" })).toHaveLength(1);
  });

  it("of later versions are unknown to this one", () => {
    const later = ["PRESTO_TRACE_DOWNSTREAM"];
    expect(findUnknownVariables(Object.fromEntries(later.map((name) => [name, "x"])))).toHaveLength(
      later.length,
    );
  });

  it("can't garble a terminal, nor take long", () => {
    const [odd, long] = findUnknownVariables({
      "PRESTO_\u001b[2J": "x",
      [`PRESTO_${"A".repeat(100_000)}`]: "x",
    });
    expect(odd?.variable).toBe('"PRESTO_\\u001b[2J"');
    expect(long?.variable.length).toBeLessThan(100);
  });

  it("without the prefix are nobody's business", () => {
    expect(findUnknownVariables({ PATH: "/bin", presto_url: "x", PRESTO: "x", MY_PRESTO_URL: "x" })).toEqual(
      [],
    );
  });
});

describe("names that Kubernetes makes for a Service", () => {
  it.each([
    "PRESTO_SERVICE_HOST",
    "PRESTO_SERVICE_PORT",
    "PRESTO_SERVICE_PORT_HTTP",
    "PRESTO_PORT",
    "PRESTO_PORT_7380_TCP",
    "PRESTO_PORT_7380_TCP_PROTO",
    "PRESTO_PORT_7380_TCP_PORT",
    "PRESTO_PORT_7380_TCP_ADDR",
    "PRESTO_SIDECAR_ADMIN_SERVICE_HOST",
    "PRESTO_SIDECAR_PORT_53_UDP_ADDR",
    "PRESTO_SIDECAR_PORT_9_SCTP",
  ])("%s is ignored", (name) => {
    expect(findUnknownVariables({ [name]: "10.0.0.1" })).toEqual([]);
  });

  it.each([
    "PRESTO_SERVICE",
    "PRESTO_PORT_",
    "PRESTO_PORT_7380",
    "PRESTO_PORT_7380_HTTP",
    "PRESTO_PORTS",
    "PRESTO_SERVICE_HOSTS",
    "PRESTO_SERVICE_HOST\n",
  ])("%j is not one", (name) => {
    expect(findUnknownVariables({ [name]: "10.0.0.1" })).toHaveLength(1);
  });

  it("hide no variable of ours", () => {
    const ours = variableNames.filter((name) => name.startsWith("PRESTO_"));
    expect(ours.length).toBeGreaterThan(40);
    for (const name of ours) expect(findUnknownVariables({ [`${name}X`]: "" })).toHaveLength(1);
  });
});

describe("a port that somebody set by hand, under a name that Kubernetes makes,", () => {
  it.each(["PRESTO_PORT", "PRESTO_LISTEN_PORT", "PRESTO_SIDECAR_PORT"])("%s, is told of", (name) => {
    expect(findPortNumbers({ [name]: "7380" })).toEqual([
      expect.stringMatching(new RegExp(`^${name} is passed over.*PRESTO_LISTEN`)),
    ]);
  });

  it("is not what Kubernetes gives such a name", () => {
    expect(
      findPortNumbers({
        PRESTO_PORT: "tcp://10.0.0.1:7380",
        PRESTO_SERVICE_PORT: "7380",
        PRESTO_SIDECAR_SERVICE_PORT: "7380",
        PRESTO_PORT_7380_TCP_PORT: "7380",
        PRESTO_SIDECAR_PORT_53_UDP_PORT: "53",
        PRESTO_SIDECAR_SERVICE_PORT_HTTP: "80",
        [`PRESTO_${"A".repeat(100)}_PORT`]: "1",
        SOME_PORT: "80",
      }),
    ).toEqual([]);
  });
});
