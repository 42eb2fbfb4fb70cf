import { inspect } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { examineConfig, loadConfig } from "../../../src/config/load.ts";
import { rowOf, variableNames } from "../../../src/config/variables.ts";
import { CommandError } from "../../../src/errors.ts";

const token = "1111|MARKED-TOKEN";
const key = Buffer.alloc(32, 7).toString("base64");
const least = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: token };

/** The failure of an environment that must be refused. */
function refusal(env: NodeJS.ProcessEnv): CommandError {
  try {
    loadConfig(env, []);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("the environment was accepted");
}

/** Values that are wrong by themselves. What holds MARKED must never be told. */
const bad: Readonly<Record<string, readonly string[]>> = {
  PRESTO_URL: ["http://x", "https://user:MARKED@presto.example", "https://presto.example/MARKED", "MARKED"],
  PRESTO_LISTEN: ["x", "127.0.0.1:1,", "unix:/a?mode=0666"],
  PRESTO_HOSTS: ["*", "a,,b", "a:1"],
  PRESTO_UNSAFE_LISTEN_ANYWHERE: ["true", " yes"],
  PRESTO_ADMIN_LISTEN: ["off", ":1", "127.0.0.1:1,127.0.0.1:2"],
  PRESTO_CONTROL_LISTEN: ["OFF", "10.0.0.1:1", "[::]:1"],
  PRESTO_ROLE: ["both", "Proxy"],
  PRESTO_STORE: ["env:MARKED", "file:MARKED", "vault:MARKED", "aws:MARKED", "MARKED"],
  PRESTO_TOKEN: ["MARKED TOKEN", "MARKED\u0000", " MARKED-some-forty-characters-long-token-value"],
  PRESTO_TOKEN_FILE: ["MARKED", "1111|MARKED-some-forty-characters-long-token"],
  PRESTO_STORE_KEY: ["MARKED", `${key},MARKED`],
  PRESTO_STORE_KEY_FILE: ["MARKED", "./MARKED"],
  KUBECONFIG: ["apiVersion: v1\ntoken: MARKED"],
  PRESTO_CA_FILE: ["ca.pem", "-----BEGIN PRIVATE KEY-----\nMARKED"],
  PRESTO_CA_ONLY: ["1", "on"],
  PRESTO_TLS_PINS: ["MARKED", "sha256/MARKED"],
  PRESTO_EGRESS_ADDRESS: ["eth0", "10.0.0.1:1", "0.0.0.0", "[::1]"],
  PRESTO_EGRESS_PROXY: [
    "MARKED",
    "http://gateway.example",
    "http://u:MARKED@gateway.example",
    "ftp://u:MARKED@gateway.example:1",
    "http://u:MAR/KED@gateway.example:1",
    "socks5://u:MARKED@:1",
    "http://u:MARKED%@gateway.example:1",
  ],
  PRESTO_EGRESS_IPS: ["eth0", "192.0.2.1/24", "192.0.2.1,,192.0.2.2", "::ffff:192.0.2.1", "0.0.0.0/0"],
  PRESTO_EGRESS_CHECK_URL: [
    "http://ip.example/MARKED",
    "https://u:MARKED@ip.example/",
    "https:///MARKED",
    "https://ip.example/?MARKED#MARKED",
    "https://ip.example/,",
    "https://ip.example/?MARKED,https://ip.example/MARKED",
  ],
  PRESTO_EGRESS_PROXY_FILE: ["MARKED", "http://u:MARKED@gateway.example:1"],
  PRESTO_OPERATIONS: ["POST /api/institutions/v1/auth/token/issue", "GET", "HEAD /a"],
  PRESTO_MAX_BODY: ["10", "NaN", "-1MiB"],
  PRESTO_MAX_IN_FLIGHT: ["0", "many", "1e3"],
  PRESTO_MAX_QUEUE: ["-1", "65536"],
  PRESTO_MAX_BUFFERED: ["1GB", "9999999GiB"],
  PRESTO_TIMEOUT: ["10sec", "0s", "10"],
  PRESTO_CONNECT_TIMEOUT: ["5", "5 s"],
  PRESTO_HOLD_MAX: ["5s\n", "٥s"],
  PRESTO_DRAIN_MIN: ["-1s", "1.5s"],
  PRESTO_DRAIN_MAX: ["25S", "999999h"],
  PRESTO_TRACE_UPSTREAM: ["true", "on"],
  PRESTO_LOG_LEVEL: ["INFO", "loud"],
  PRESTO_LOG_FORMAT: ["pretty", "JSON"],
  OTEL_EXPORTER_OTLP_ENDPOINT: ["collector:4318", "http://u:MARKED@collector", "grpc://collector"],
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ["MARKED"],
  OTEL_EXPORTER_OTLP_PROTOCOL: ["grpc", "http/json", "HTTP/protobuf"],
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ["grpc"],
  OTEL_EXPORTER_OTLP_HEADERS: ["a=MARKED b"],
  OTEL_EXPORTER_OTLP_HEADERS_FILE: ["collector-headers"],
  OTEL_SERVICE_NAME: ["na\u00efve", "a\nb"],
  PRESTO_TIMEOT: ["MARKED", ""],
  PRESTO_EMAIL: ["MARKED", "MARKED @presto.example", "MARKED@presto@example"],
  PRESTO_EMAIL_FILE: ["MARKED@presto.example"],
  PRESTO_PASSWORD: ["\n", "MARKED\ufffd", "MARKED\ud800"],
  PRESTO_PASSWORD_FILE: ["MARKED"],
  PRESTO_CREDENTIALS: ["env:MARKED", "file:MARKED", "MARKED", "vault:MARKED"],
  PRESTO_LOCK: ["MARKED", "kubernetes:MARKED", "file:/MARKED"],
  POD_NAMESPACE: ["MARKED", "with.dots"],
  POD_NAME: ["MARKED", "two words"],
  VAULT_ADDR: ["https://vault.example MARKED"],
  VAULT_NAMESPACE: ["a b"],
  VAULT_CACERT: ["/etc/a b"],
  VAULT_SKIP_VERIFY: ["true", "1", "yes"],
  PRESTO_VAULT_AUTH: ["MARKED", "Token"],
  PRESTO_VAULT_MOUNT: ["/approle", "a//b", "a b"],
  PRESTO_VAULT_ROLE: ["a b"],
  PRESTO_VAULT_ROLE_ID: ["a\nMARKED"],
  PRESTO_VAULT_SECRET_ID: ["MARKED b"],
  PRESTO_VAULT_SECRET_ID_FILE: ["MARKED"],
  VAULT_TOKEN: ["MARKED b"],
  VAULT_TOKEN_FILE: ["MARKED"],
  PRESTO_TOKEN_NAME: ["n\u00e4me", " name"],
  PRESTO_TOKEN_DAYS: ["0", "90d", "3651"],
  PRESTO_RENEW: ["yes", "Auto"],
  PRESTO_RENEW_AT: ["0", "1.1", "67%"],
  PRESTO_RENEW_WINDOW: ["1-4", "01:00-01:00", "24:00-01:00"],
  PRESTO_PROBE_EVERY: ["60", "0s"],
  PRESTO_PROBE_REFERENCE: ["..", "a/b", "a%20b"],
  PRESTO_SETTLE: ["90", "-1s"],
  PRESTO_SETTLE_OUTCOMES: ["24", "0s"],
  PRESTO_AUDIT: ["syslog", "file:x", "file:/x?mode=0644"],
  PRESTO_AUDIT_FULL: ["stop"],
  SSLKEYLOGFILE: ["/tmp/MARKED"],
  OPENSSL_CONF: ["/tmp/MARKED"],
  NODE_TLS_REJECT_UNAUTHORIZED: ["0"],
  NODE_USE_ENV_PROXY: ["1"],
};

describe("problems", () => {
  it("are all told at once, whichever they are, and none tells a secret", () => {
    const someBad = fc
      .subarray(Object.keys(bad), { minLength: 1 })
      .chain((names) =>
        fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(...(bad[name] ?? []))]))),
      );
    fc.assert(
      fc.property(someBad, fc.boolean(), (wrong, withBase) => {
        const failure = refusal({ ...(withBase ? { ...least, PRESTO_STORE_KEY: key } : {}), ...wrong });
        expect([failure.code, failure.exitCode]).toEqual(["configuration", 78]);
        for (const name of Object.keys(wrong))
          expect(failure.message).toMatch(new RegExp(`^  ${name}: .*\\. Example: `, "m"));
        expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("MARKED");
        expect(failure.message).not.toContain(key);
      }),
      { numRuns: 400 },
    );
  });

  it("are found in whatever text a variable has, and never crash the reading", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(...Array.from("a1/:.,{}[]?=%@ \n")) }),
    );
    const prefix = fc.constantFrom("", "https://", "unix:/", "file:/", "GET /", "127.0.0.1:", "[");
    fc.assert(
      fc.property(fc.constantFrom(...variableNames), prefix, anything, (name, before, text) => {
        examineConfig({ ...least, [name]: before + text }, []);
      }),
      { numRuns: 1500 },
    );
  });

  it("have an example of every variable among them, or this test shows less than it says", () => {
    for (const name of variableNames) expect(Object.keys(bad)).toContain(name);
  });

  it.each(variableNames)("name the line end at the end of %s, or it is none", (name) => {
    const { example } = rowOf(name);
    for (const [end, words] of [
      ["\r", "carriage return"],
      ["\r\n", "carriage return"],
      ["\n", "line end"],
    ] as const) {
      const about = (text: string): readonly string[] =>
        examineConfig({ ...least, [name]: text }, [])
          .problems.filter(({ variable }) => variable === name)
          .map(({ wrong }) => wrong);
      const without = about(example);
      // A secret loses it, as the end of a file; a list may be written over several lines.
      for (const wrong of about(example + end))
        if (!without.includes(wrong)) expect(wrong).toContain(`ends with a ${words}`);
    }
  });

  it("tell what else is wrong beside a line end", () => {
    expect(refusal({ ...least, PRESTO_TIMEOUT: "10sec\r" }).message).toContain(
      'PRESTO_TIMEOUT: "10sec" is not a duration (a whole number and one of ms, s, m, h); and it ends with a carriage return',
    );
    expect(refusal({ ...least, PRESTO_TIMEOUT: "10s\n" }).message).toContain(
      "PRESTO_TIMEOUT: ends with a line end; take it away.",
    );
    expect(refusal({ ...least, PRESTO_CA_FILE: "/ca.pem\r" }).message).toContain(
      "PRESTO_CA_FILE: ends with a carriage",
    );
  });

  it("say how many they are, one a line", () => {
    expect(refusal({ PRESTO_TOKEN: token }).message).toBe(
      "The configuration has 1 problem:\n  PRESTO_URL: is required and not set. Example: PRESTO_URL=https://institutions.example.com",
    );
    expect(refusal({}).message.split("\n")).toHaveLength(3);
    expect(refusal({}).message).toContain("has 2 problems:");
  });

  it("show a short value, and not one that may be a secret", () => {
    expect(refusal({ ...least, PRESTO_TIMEOUT: "10sec" }).message).toContain(
      'PRESTO_TIMEOUT: "10sec" is not a duration',
    );
    expect(refusal({ ...least, PRESTO_TIMEOUT: "x".repeat(41) }).message).toContain(
      "PRESTO_TIMEOUT: the value is not a duration",
    );
    expect(refusal({ ...least, PRESTO_TIMEOUT: "1\u001b[2J" }).message).not.toContain("\u001b");
  });
});
