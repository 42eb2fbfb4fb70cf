import { describe, expect, it } from "vitest";

import { describeConfig, formatConfig } from "../../../src/config/describe.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { problemsOf } from "./problems.ts";

const least = {
  PRESTO_URL: "https://presto.example",
  PRESTO_STORE: "vault:secret/presto",
  VAULT_ADDR: "https://vault.example:8200",
};
const token = { VAULT_TOKEN: "s.MARKED" };

describe("a place in a Vault", () => {
  it.each<[string, NodeJS.ProcessEnv, RegExp]>([
    ["no address", { ...token, VAULT_ADDR: "" }, /^VAULT_ADDR: is required for a vault: store/],
    [
      "plain HTTP to another host",
      { ...token, VAULT_ADDR: "http://vault.example:8200" },
      /^VAULT_ADDR: is plain HTTP/,
    ],
    ["an API path", { ...token, VAULT_ADDR: "https://vault.example/v1" }, /^VAULT_ADDR: has a path/],
    ["a password", { ...token, VAULT_ADDR: "https://u:MARKED@vault.example" }, /^VAULT_ADDR: holds a user/],
    ["a relative CA file", { ...token, VAULT_CACERT: "ca.pem" }, /^VAULT_CACERT: is not an absolute path/],
    ["nothing that proves us", {}, /^PRESTO_VAULT_AUTH: is not set, and neither is VAULT_TOKEN/],
    ["no token", { PRESTO_VAULT_AUTH: "token" }, /^VAULT_TOKEN_FILE: PRESTO_VAULT_AUTH is token/],
    ["both forms", { ...token, VAULT_TOKEN_FILE: "/t" }, /^VAULT_TOKEN_FILE: is given beside VAULT_TOKEN/],
    [
      "no role",
      { ...token, PRESTO_VAULT_AUTH: "kubernetes" },
      /^PRESTO_VAULT_ROLE: PRESTO_VAULT_AUTH is kubernetes/,
    ],
    [
      "no verification",
      { ...token, VAULT_SKIP_VERIFY: "true" },
      /^VAULT_SKIP_VERIFY: would have certificates/,
    ],
    [
      "one entry for both",
      { ...token, PRESTO_CREDENTIALS: "vault:secret/presto?field=account", PRESTO_ROLE: "all" },
      /^PRESTO_CREDENTIALS: names the Vault entry of PRESTO_STORE/,
    ],
  ])("is refused with %s", (_what, more, says) => {
    const problems = problemsOf({ ...least, ...more });
    expect(problems).toContainEqual(expect.stringMatching(says));
    expect(problems.join()).not.toContain("MARKED");
  });

  it("tells of all that an AppRole lacks at once", () => {
    expect(problemsOf({ ...least, PRESTO_VAULT_AUTH: "approle" })).toEqual([
      expect.stringMatching(/^PRESTO_VAULT_ROLE_ID: /),
      expect.stringMatching(/^PRESTO_VAULT_SECRET_ID_FILE: /),
    ]);
  });

  it.each(["all", "rotator"])("is for the role %s, under its intent or a Lease", (role) => {
    const env = { ...least, ...token, PRESTO_ROLE: role, PRESTO_CREDENTIALS: "vault:secret/account" };
    expect(loadConfig(env, []).store).toMatchObject({ lock: { kind: "store" } });
    const lease = { PRESTO_LOCK: "kubernetes:presto/renewal", KUBECONFIG: "/kubeconfig" };
    expect(loadConfig({ ...env, ...lease }, []).store).toMatchObject({
      lock: { kind: "lease", namespace: "presto", name: "renewal" },
      servers: { kubernetes: { kubeconfig: ["/kubeconfig"] }, vault: expect.anything() },
    });
  });

  it("may keep the account of a role that issues under a file's lock", () => {
    const key = Buffer.alloc(32, 7).toString("base64");
    const config = loadConfig(
      {
        ...least,
        ...token,
        PRESTO_ROLE: "all",
        PRESTO_STORE: "file:/var/lib/presto/token",
        PRESTO_STORE_KEY: key,
        PRESTO_CREDENTIALS: "vault:secret/account",
      },
      [],
    );
    expect(config.issuing?.credentials).toMatchObject({ kind: "vault", isRemote: true });
    expect(config.store.servers).toEqual({});
  });

  it("has one login, with all that was given", () => {
    const config = loadConfig(
      {
        ...least,
        VAULT_NAMESPACE: "payments",
        VAULT_CACERT: "/etc/vault/ca.pem",
        PRESTO_VAULT_AUTH: "kubernetes",
        PRESTO_VAULT_ROLE: "presto-proxy",
        PRESTO_VAULT_MOUNT: "clusters/one",
      },
      [],
    );
    expect(config.store.servers?.vault).toEqual({
      address: { host: "vault.example", port: 8200, isPlain: false, url: "https://vault.example:8200" },
      namespace: "payments",
      caFile: "/etc/vault/ca.pem",
      login: {
        method: "kubernetes",
        mount: "clusters/one",
        role: "presto-proxy",
        jwtPath: "/var/run/secrets/kubernetes.io/serviceaccount/token",
      },
    });
  });

  it("shows none of its secrets", () => {
    const env = { ...least, ...token, PRESTO_VAULT_SECRET_ID: "MARKED-too" };
    expect(formatConfig(describeConfig(env))).not.toContain("MARKED");
    expect(JSON.stringify(loadConfig(env, []))).not.toContain("MARKED");
  });

  it("is the only one for which Vault's own variables count", () => {
    const others = { VAULT_ADDR: "http://vault.example:8200", VAULT_CACERT: "ca.pem" };
    expect(problemsOf({ PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "t", ...others })).toEqual([]);
  });
});
