import { describe, expect, it } from "vitest";

import { examineConfig } from "../../../src/config/load.ts";

const url = { PRESTO_URL: "https://presto.example" };
const least = { ...url, PRESTO_TOKEN: "abc" };
const key = Buffer.alloc(32, 7).toString("base64");
const issuing = {
  ...url,
  PRESTO_ROLE: "all",
  PRESTO_STORE: "file:/s",
  PRESTO_STORE_KEY: key,
  PRESTO_CREDENTIALS: "file:/c",
};

function warningsOf(env: NodeJS.ProcessEnv): readonly string[] {
  const { config, problems } = examineConfig(env, []);
  expect(problems).toEqual([]);
  return config?.warnings ?? [];
}

describe("warnings", () => {
  it("tell that a rollout may cut a call", () => {
    expect(warningsOf({ ...least, PRESTO_TIMEOUT: "26s" })).toEqual([
      expect.stringContaining("PRESTO_TIMEOUT is longer than PRESTO_DRAIN_MAX"),
    ]);
    expect(warningsOf({ ...least, PRESTO_TIMEOUT: "25s" })).toEqual([]);
  });

  it("tell of bodies that can never be accepted", () => {
    expect(warningsOf({ ...least, PRESTO_MAX_BUFFERED: "1023KiB" })).toEqual([
      expect.stringContaining("PRESTO_MAX_BUFFERED"),
    ]);
    expect(warningsOf({ ...least, PRESTO_MAX_BUFFERED: "1MiB" })).toEqual([]);
  });

  it("tell of a secret that the store does not use, without showing it", () => {
    const warnings = [
      ...warningsOf({ ...least, PRESTO_STORE_KEY: key }),
      ...warningsOf({ ...url, PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: key, PRESTO_TOKEN: "MARKED" }),
    ];
    expect(warnings).toEqual([
      expect.stringMatching(/^PRESTO_STORE_KEY is set, but PRESTO_STORE is env:/),
      expect.stringMatching(/^PRESTO_TOKEN is set, but PRESTO_STORE is file:/),
    ]);
    expect(warnings.join("\n")).not.toMatch(new RegExp(`MARKED|${key.slice(0, 10)}`));
  });

  it("tell of what does nothing in a role that issues no tokens", () => {
    expect(warningsOf({ ...least, PRESTO_PROBE_EVERY: "1s" })).toEqual([
      "PRESTO_PROBE_EVERY is set, but the role proxy issues no tokens and does not use it; take it away.",
    ]);
    // It counts for calls that move money, too.
    expect(warningsOf({ ...least, PRESTO_SETTLE: "1s" })).toEqual([]);
    const all = {
      PRESTO_TOKEN_NAME: "n",
      PRESTO_TOKEN_DAYS: "1",
      PRESTO_RENEW: "auto",
      PRESTO_RENEW_AT: "1",
      PRESTO_RENEW_WINDOW: "01:00-02:00",
      PRESTO_PROBE_EVERY: "1s",
    };
    expect(warningsOf({ ...least, ...all })).toEqual([
      "PRESTO_TOKEN_NAME, PRESTO_TOKEN_DAYS, PRESTO_RENEW, PRESTO_RENEW_AT, PRESTO_RENEW_WINDOW and PRESTO_PROBE_EVERY are set, but the role proxy issues no tokens and does not use them; take them away.",
    ]);
    expect(warningsOf({ ...issuing, ...all })).toEqual([]);
    // The commands that import a token ask Presto, in any role.
    expect(warningsOf({ ...least, PRESTO_PROBE_REFERENCE: "x" })).toEqual([]);
  });

  it("tell of what does nothing in a role that serves no calls, and of nothing else about it", () => {
    const serving = {
      PRESTO_LISTEN: "0.0.0.0:80",
      PRESTO_HOSTS: "a",
      PRESTO_OPERATIONS: "GET /a",
      PRESTO_MAX_BODY: "2MiB",
      PRESTO_MAX_BUFFERED: "1MiB",
      PRESTO_TIMEOUT: "26s",
    };
    expect(warningsOf({ ...issuing, PRESTO_ROLE: "rotator", ...serving })).toEqual([
      "PRESTO_LISTEN, PRESTO_HOSTS, PRESTO_OPERATIONS, PRESTO_MAX_BODY and PRESTO_MAX_BUFFERED are set, but the role rotator serves no calls and does not use them; take them away.",
    ]);
    expect(warningsOf({ ...issuing, PRESTO_ROLE: "rotator" })).toEqual([]);
  });

  it("tell of a plan that nobody follows", () => {
    const env = { ...issuing, PRESTO_RENEW: "manual" };
    expect(warningsOf({ ...env, PRESTO_RENEW_WINDOW: "01:00-02:00" })).toEqual([
      expect.stringMatching(/^PRESTO_RENEW_WINDOW is set, but PRESTO_RENEW is manual/),
    ]);
    expect(warningsOf(env)).toEqual([]);
  });

  it("tell that calls may overlap where none is given time to settle", () => {
    expect(warningsOf({ ...issuing, PRESTO_SETTLE: "0s" })).toEqual([
      expect.stringMatching(/^PRESTO_SETTLE is 0s: /),
    ]);
    expect(warningsOf({ ...issuing, PRESTO_SETTLE: "1ms" })).toEqual([]);
  });
});
