import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const least = { PRESTO_CREDENTIALS: "file:/c", PRESTO_STORE_KEY: key };

describe("what the commands about the credentials need", () => {
  it("is where they lie, and their key; a store, an upstream and a role may be left open", () => {
    expect(loadConfig(least, [], "write-credentials")).toMatchObject({
      credentials: { kind: "file", address: "/c", keys: { kind: "value" } },
      store: { kind: "env", canWrite: false },
      upstream: undefined,
      warnings: [],
    });
  });

  it("is the store whose token hangs on them, where there is one", () => {
    const env = {
      ...least,
      PRESTO_URL: "https://presto.example",
      PRESTO_ROLE: "rotator",
      PRESTO_STORE: "file:/s",
      PRESTO_PROBE_REFERENCE: "none",
    };
    expect(loadConfig(env, [], "write-credentials")).toMatchObject({
      store: { kind: "file", address: "/s", keys: { kind: "value" } },
      upstream: {
        origin: { host: "presto.example" },
        connectTimeoutMs: 5_000,
        timeoutMs: 20_000,
        probe: { reference: "none" },
      },
    });
  });

  it.each([{}, { PRESTO_ROLE: "all", PRESTO_EMAIL: "a@b", PRESTO_PASSWORD: "x" }])(
    "is a form that can be written, or it is refused with 77: %j",
    (env) => {
      expect(() => loadConfig(env, [], "write-credentials")).toThrow(
        expect.objectContaining({
          exitCode: 77,
          message: expect.stringMatching(/^PRESTO_CREDENTIALS is not set, .* a command can write/),
        }),
      );
    },
  );

  it.each([
    [{ ...least, PRESTO_ROLE: "proxy" }, "PRESTO_CREDENTIALS: the role proxy"],
    [{ ...least, PRESTO_ROLE: "none" }, "PRESTO_ROLE: "],
    [{ ...least, PRESTO_STORE_KEY: "" }, "PRESTO_CREDENTIALS is file: and there is no key"],
    [{ ...least, PRESTO_STORE_KEY_FILE: "/k" }, "is given beside"],
    [{ ...least, PRESTO_EMAIL: "a@b" }, "PRESTO_CREDENTIALS: is given beside PRESTO_EMAIL"],
    [{ ...least, PRESTO_STORE: "file:/c" }, "PRESTO_CREDENTIALS: names the file of PRESTO_STORE"],
    [{ ...least, PRESTO_TIMEOT: "x" }, "PRESTO_TIMEOT: "],
    [{ ...least, PRESTO_CA_ONLY: "yes" }, "PRESTO_CA_FILE: "],
    [{ ...least, SSLKEYLOGFILE: "/x" }, "SSLKEYLOGFILE: "],
  ])("%j is refused with 78: %s", (env, why) => {
    expect(() => loadConfig(env, [], "write-credentials")).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringContaining(why) }),
    );
  });
});
