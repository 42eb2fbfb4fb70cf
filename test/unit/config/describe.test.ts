import { describe, expect, it } from "vitest";

import { describeConfig, formatConfig } from "../../../src/config/describe.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { variableNames } from "../../../src/config/variables.ts";

const key = Buffer.alloc(32, 7).toString("base64");

function rowsOf(env: NodeJS.ProcessEnv) {
  loadConfig(env, []);
  return describeConfig(env);
}

describe("what check prints", () => {
  const env = {
    PRESTO_URL: "https://presto.example",
    PRESTO_TOKEN: "MARKED-TOKEN",
    PRESTO_TIMEOUT: "4s",
    PRESTO_LOG_LEVEL: "",
  };

  it("is every variable, where it came from, and what it is", () => {
    const rows = rowsOf(env);
    expect(rows.map(({ name }) => name)).toEqual(variableNames);
    expect(rows).toContainEqual({
      name: "PRESTO_URL",
      value: "https://presto.example",
      source: "environment",
    });
    expect(rows).toContainEqual({ name: "PRESTO_MAX_BODY", value: "1MiB", source: "default" });
    expect(rows).toContainEqual({ name: "PRESTO_LOG_LEVEL", value: "info", source: "default" });
    expect(rows).toContainEqual({ name: "PRESTO_CA_FILE", value: null, source: "default" });
  });

  it("is the default that came out, where it depends on another variable", () => {
    expect(rowsOf(env)).toContainEqual({ name: "PRESTO_HOLD_MAX", value: "2s", source: "default" });
  });

  it("masks secrets and shows the paths of their files", () => {
    expect(rowsOf(env)).toContainEqual({ name: "PRESTO_TOKEN", value: "[secret]", source: "environment" });
    const files = rowsOf({
      PRESTO_URL: env.PRESTO_URL,
      PRESTO_STORE: "file:/s",
      PRESTO_STORE_KEY: key,
      PRESTO_TOKEN_FILE: "/run/token",
    });
    expect(files).toContainEqual({ name: "PRESTO_STORE_KEY", value: "[secret]", source: "environment" });
    expect(files).toContainEqual({ name: "PRESTO_TOKEN_FILE", value: "/run/token", source: "environment" });
    const text = JSON.stringify([rowsOf(env), files]) + formatConfig(rowsOf(env)) + formatConfig(files);
    expect(text).not.toMatch(/MARKED/);
    expect(text).not.toContain(key);
  });

  it("masks the account, its e-mail too, and shows how a role that issues goes about it", () => {
    const rows = rowsOf({
      PRESTO_URL: env.PRESTO_URL,
      PRESTO_ROLE: "all",
      PRESTO_STORE: "file:/s",
      PRESTO_STORE_KEY_FILE: "/k",
      PRESTO_EMAIL: "MARKED@presto.example",
      PRESTO_PASSWORD: "MARKED",
      PRESTO_RENEW_WINDOW: "01:00-04:00",
    });
    for (const name of ["PRESTO_EMAIL", "PRESTO_PASSWORD"]) {
      expect(rows).toContainEqual({ name, value: "[secret]", source: "environment" });
    }
    expect(rows).toContainEqual({
      name: "PRESTO_RENEW_WINDOW",
      value: "01:00-04:00",
      source: "environment",
    });
    expect(rows).toContainEqual({ name: "PRESTO_RENEW_AT", value: "0.67", source: "default" });
    expect(JSON.stringify(rows) + formatConfig(rows)).not.toContain("MARKED");
  });

  it("is one line for each variable, whatever its value was written over", () => {
    const text = formatConfig(rowsOf({ ...env, PRESTO_OPERATIONS: "GET /a,\n  GET /b" }));
    expect(text.split("\n")).toHaveLength(variableNames.length + 1);
    expect(text).toMatch(/^PRESTO_OPERATIONS +environment  GET \/a, GET \/b$/m);
    expect(text).toMatch(/^PRESTO_CA_FILE +default +\(none\)$/m);
  });
});
