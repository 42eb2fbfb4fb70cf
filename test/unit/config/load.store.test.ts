import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const file = { PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: key };

describe("what the commands about the stored token need", () => {
  it("is a store; where Presto is may be left open", () => {
    const config = loadConfig(file, [], "write-store");
    expect(config).toMatchObject({
      store: { kind: "file", address: "/s", keys: { kind: "value" } },
      upstream: undefined,
      warnings: [],
    });
  });

  it("is where Presto is, too, where that is known", () => {
    const env = {
      ...file,
      PRESTO_URL: "https://presto.example",
      PRESTO_CA_FILE: "/ca",
      PRESTO_CONNECT_TIMEOUT: "1s",
    };
    expect(loadConfig(env, [], "read-store").upstream).toEqual({
      origin: { url: "https://presto.example", host: "presto.example", port: 443 },
      trust: { caFile: "/ca", caOnly: false, pins: [] },
      egress: { localAddress: undefined, proxy: undefined },
      connectTimeoutMs: 1000,
      timeoutMs: 20_000,
      probe: { reference: "TRX000000000", timeoutMs: 20_000 },
    });
  });

  it("is read from env: as well, but not written there", () => {
    expect(loadConfig({ PRESTO_TOKEN: "abc" }, [], "read-store").store.kind).toBe("env");
    expect(() => loadConfig({}, [], "write-store")).toThrow(
      expect.objectContaining({ exitCode: 77, message: expect.stringContaining("env:") }),
    );
    expect(() => loadConfig({ PRESTO_TOKEN: "abc" }, [], "write-store")).toThrow(
      expect.objectContaining({ exitCode: 77 }),
    );
  });

  it.each([
    [{ PRESTO_STORE: "file:/s" }, "no key"],
    [{ PRESTO_STORE: "nowhere" }, "PRESTO_STORE: "],
    [{ ...file, PRESTO_STORE_KEY_FILE: "/k" }, "is given beside"],
    [{ ...file, PRESTO_TIMEOT: "x" }, "PRESTO_TIMEOT: "],
    [{ ...file, PRESTO_URL: "http://x" }, "PRESTO_URL: "],
    [{ ...file, PRESTO_CA_ONLY: "yes" }, "PRESTO_CA_FILE: "],
    [{ ...file, NODE_TLS_REJECT_UNAUTHORIZED: "0" }, "NODE_TLS_REJECT_UNAUTHORIZED: "],
    [{ ...file, PRESTO_EMAIL: "a@b" }, "PRESTO_EMAIL: the role proxy"],
    [{ ...file, PRESTO_ROLE: "all", PRESTO_CREDENTIALS: "file:/s" }, "PRESTO_CREDENTIALS: names the file"],
    [{ ...file, PRESTO_ROLE: "all", PRESTO_PASSWORD: "x", PRESTO_PASSWORD_FILE: "/p" }, "is given beside"],
    [{ ...file, PRESTO_SETTLE: "1" }, "PRESTO_SETTLE: "],
  ])("%j is refused: %s", (env, why) => {
    expect(() => loadConfig(env, [], "write-store")).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringContaining(why) }),
    );
  });

  it("is what to ask Presto for", () => {
    const env = { ...file, PRESTO_URL: "https://presto.example", PRESTO_PROBE_REFERENCE: "none" };
    expect(loadConfig(env, [], "read-store").upstream?.probe.reference).toBe("none");
  });

  it("is no account: a role that issues can have its token imported and shown before it has one", () => {
    expect(loadConfig({ ...file, PRESTO_ROLE: "all" }, [], "write-store").store.kind).toBe("file");
  });

  it("needs a token for env: in a role that issues, too", () => {
    expect(() => loadConfig({ PRESTO_ROLE: "all" }, [], "read-store")).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringContaining("there is no token") }),
    );
  });

  it("needs a token for env: to be read", () => {
    expect(() => loadConfig({}, [], "read-store")).toThrow(expect.objectContaining({ exitCode: 78 }));
  });
});
