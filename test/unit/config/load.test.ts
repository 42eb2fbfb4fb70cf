import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { examineConfig, loadConfig } from "../../../src/config/load.ts";
import { rowOf, variableNames } from "../../../src/config/variables.ts";
import { CommandError } from "../../../src/errors.ts";
import { walletOperations } from "../../../src/policy/operations.ts";

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

describe("the configuration", () => {
  it("needs an origin and a token, and has a default for all else", () => {
    const config = loadConfig(least, []);
    expect(config).toMatchObject({
      role: "proxy",
      issuing: undefined,
      probe: { reference: "TRX000000000", timeoutMs: 20_000 },
      origin: { url: "https://presto.example", host: "presto.example", port: 443 },
      trust: { caFile: undefined, caOnly: false, pins: [] },
      egress: { localAddress: undefined, proxy: undefined },
      connectTimeoutMs: 5000,
      listen: [{ kind: "tcp", host: "127.0.0.1", port: 7380 }],
      hosts: [],
      adminListen: { kind: "tcp", host: "127.0.0.1", port: 7381 },
      controlListen: { kind: "tcp", host: "127.0.0.1", port: 7382 },
      store: { kind: "env", token: { kind: "value" } },
      operations: walletOperations,
      maxBody: 1_048_576,
      limits: { maxInFlight: 256, maxQueue: 1024, maxBuffered: 67_108_864 },
      timeoutMs: 20_000,
      holdMaxMs: 5000,
      drainMinMs: 0,
      drainMaxMs: 25_000,
      logLevel: "info",
      warnings: [],
    });
  });

  it("takes every variable where it belongs", () => {
    const config = loadConfig(
      {
        PRESTO_URL: "https://localhost:8443",
        PRESTO_LISTEN: "0.0.0.0:80,unix:/run/p.sock?mode=0660",
        PRESTO_HOSTS: "presto",
        PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes",
        PRESTO_ADMIN_LISTEN: "0.0.0.0:81",
        PRESTO_CONTROL_LISTEN: "off",
        PRESTO_ROLE: "proxy",
        PRESTO_STORE: "file:/var/lib/presto/token",
        PRESTO_STORE_KEY: key,
        PRESTO_CA_FILE: "/etc/ca.pem",
        PRESTO_CA_ONLY: "yes",
        PRESTO_TLS_PINS: `sha256/${key}`,
        PRESTO_OPERATIONS: "GET /a",
        PRESTO_MAX_BODY: "1KiB",
        PRESTO_MAX_IN_FLIGHT: "1",
        PRESTO_MAX_QUEUE: "0",
        PRESTO_MAX_BUFFERED: "2KiB",
        PRESTO_TIMEOUT: "10s",
        PRESTO_CONNECT_TIMEOUT: "1s",
        PRESTO_HOLD_MAX: "9999ms",
        PRESTO_DRAIN_MIN: "2s",
        PRESTO_DRAIN_MAX: "11s",
        PRESTO_LOG_LEVEL: "silent",
      },
      [],
    );
    expect(config).toMatchObject({
      origin: { port: 8443 },
      trust: { caFile: "/etc/ca.pem", caOnly: true, pins: [key] },
      connectTimeoutMs: 1000,
      listen: [
        { host: "0.0.0.0", port: 80 },
        { path: "/run/p.sock", mode: 0o660 },
      ],
      hosts: ["presto"],
      adminListen: { host: "0.0.0.0", port: 81 },
      controlListen: undefined,
      store: { kind: "file", address: "/var/lib/presto/token", keys: { kind: "value" } },
      maxBody: 1024,
      limits: { maxInFlight: 1, maxQueue: 0, maxBuffered: 2048 },
      timeoutMs: 10_000,
      holdMaxMs: 9999,
      drainMinMs: 2000,
      drainMaxMs: 11_000,
      logLevel: "silent",
    });
    expect(config.operations.map(({ name }) => name)).toEqual([
      ...walletOperations.map(({ name }) => name),
      "GET /a",
    ]);
  });

  it("holds secrets in their box", () => {
    const { store } = loadConfig({ ...least, PRESTO_TOKEN: `${token}\n` }, []);
    if (store.token?.kind !== "value") throw new Error("another store than was asked for");
    expect(store.token.secret.reveal()).toBe(token);
    expect(inspect(loadConfig(least, []), { depth: 10, showHidden: true })).not.toContain("MARKED");
    expect(JSON.stringify(loadConfig(least, []))).not.toContain("MARKED");
  });

  it("takes the paths of secrets and opens nothing", () => {
    const env = { PRESTO_URL: "https://presto.example" };
    expect(loadConfig({ ...env, PRESTO_TOKEN_FILE: "/nowhere/token" }, []).store).toMatchObject({
      kind: "env",
      token: { kind: "file", path: "/nowhere/token" },
      keys: undefined,
    });
    expect(
      loadConfig(
        {
          ...env,
          PRESTO_STORE: "file:/nowhere/record",
          PRESTO_STORE_KEY_FILE: "/nowhere/key",
          PRESTO_CA_FILE: "/nowhere/ca",
        },
        [],
      ).store,
    ).toMatchObject({
      kind: "file",
      address: "/nowhere/record",
      token: undefined,
      keys: { kind: "file", path: "/nowhere/key" },
    });
  });

  it.each([
    [undefined, 5000],
    ["60s", 5000],
    ["10s", 5000],
    ["4s", 2000],
    ["999ms", 499],
  ])("holds for 5 s, or for half of the timeout if that is less (timeout %s)", (timeout, holdMaxMs) => {
    expect(loadConfig({ ...least, PRESTO_TIMEOUT: timeout }, []).holdMaxMs).toBe(holdMaxMs);
  });

  it("counts an empty variable as one that is not set", () => {
    const empty = Object.fromEntries(variableNames.map((name) => [name, ""]));
    expect(loadConfig({ ...empty, ...least }, [])).toEqual(loadConfig(least, []));
  });

  it("does not depend on NODE_ENV, which envalid looks at", () => {
    for (const NODE_ENV of ["test", "development", "production"]) {
      expect(loadConfig({ ...least, NODE_ENV }, [])).toEqual(loadConfig(least, []));
    }
  });

  it("knows pino's levels and no others", () => {
    for (const level of ["trace", "debug", "info", "warn", "error", "fatal", "silent"]) {
      expect(loadConfig({ ...least, PRESTO_LOG_LEVEL: level }, []).logLevel).toBe(level);
    }
    for (const level of ["INFO", "warning", "verbose", "10"]) {
      expect(refusal({ ...least, PRESTO_LOG_LEVEL: level }).message).toContain("PRESTO_LOG_LEVEL: ");
    }
  });

  it("has examples and defaults that it accepts itself", () => {
    for (const name of variableNames) {
      const { example, fallback, secret } = rowOf(name);
      const texts = [
        ...(name === "PRESTO_STORE_KEY" ? [key] : [example]),
        ...(fallback === undefined ? [] : [fallback]),
      ];
      for (const text of texts) {
        const { problems } = examineConfig({ PRESTO_URL: "https://presto.example", [name]: text }, []);
        expect(
          problems.filter(
            ({ variable, wrong }) =>
              variable === name &&
              !/no token|issues tokens|cannot issue|can only be read|nothing is ever locked/.test(wrong),
          ),
        ).toEqual([]);
      }
      expect(secret === true && name.endsWith("_FILE")).toBe(false);
    }
  });
});
