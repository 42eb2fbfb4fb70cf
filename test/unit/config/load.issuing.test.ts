import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";

const issuing = {
  PRESTO_URL: "https://presto.example",
  PRESTO_STORE: "file:/s",
  PRESTO_STORE_KEY_FILE: "/k",
  PRESTO_CREDENTIALS: "file:/c",
};

describe("the configuration of a role that issues", () => {
  it.each(["rotator", "all"] as const)(
    "has what issuing needs in the role %s, and defaults for the rest",
    (role) => {
      const config = loadConfig({ ...issuing, PRESTO_ROLE: role }, []);
      expect(config).toMatchObject({
        role,
        issuing: {
          credentials: { kind: "file", address: "/c", keys: { kind: "file", path: "/k" } },
          tokenName: "presto-sidecar",
          tokenDays: 90,
          automatic: true,
          renewAt: 0.67,
          window: undefined,
          probeEveryMs: role === "all" ? 60_000 : 10_000,
          settleMs: 90_000,
        },
        warnings: [],
      });
      // What serves nothing has nothing to bind.
      expect(config.listen).toHaveLength(role === "all" ? 1 : 0);
    },
  );

  it("takes every variable of a role that issues where it belongs", () => {
    const { PRESTO_CREDENTIALS: _, ...others } = issuing;
    const config = loadConfig(
      {
        ...others,
        PRESTO_ROLE: "all",
        PRESTO_EMAIL: "MARKED@presto.example\n",
        PRESTO_PASSWORD_FILE: "/run/password",
        PRESTO_TOKEN_NAME: "front desk",
        PRESTO_TOKEN_DAYS: "30",
        PRESTO_RENEW: "auto",
        PRESTO_RENEW_AT: "0.000001",
        PRESTO_RENEW_WINDOW: "22:30-02:00",
        PRESTO_PROBE_EVERY: "1s",
        PRESTO_PROBE_REFERENCE: "no-such~one",
        PRESTO_SETTLE: "2s",
      },
      [],
    );
    expect(config.probe.reference).toBe("no-such~one");
    expect(config.issuing).toMatchObject({
      credentials: {
        kind: "env",
        email: { kind: "value" },
        password: { kind: "file", path: "/run/password" },
      },
      tokenName: "front desk",
      tokenDays: 30,
      automatic: true,
      renewAt: 0.000_001,
      window: { fromMs: 22.5 * 3_600_000, toMs: 2 * 3_600_000 },
      probeEveryMs: 1_000,
      settleMs: 2_000,
    });
    expect(inspect(config, { depth: 10, showHidden: true })).not.toContain("MARKED");
    const { credentials } = config.issuing ?? {};
    if (credentials === undefined || !("email" in credentials) || credentials.email.kind !== "value")
      throw new Error("other credentials than were asked for");
    expect(credentials.email.secret.reveal()).toBe("MARKED@presto.example");
  });

  it("issues by itself unless it is told not to", () => {
    const config = loadConfig({ ...issuing, PRESTO_ROLE: "all", PRESTO_RENEW: "manual" }, []);
    expect(config.issuing?.automatic).toBe(false);
  });
});
