import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";
import { problemsOf } from "./problems.ts";

const base = { PRESTO_URL: "https://presto.example", PRESTO_STORE: "kubernetes:presto/token" };

describe("a store in a Kubernetes Secret", () => {
  it.each([
    ["kubernetes:presto/token", "presto/token"],
    ["kubernetes:a/b.c-d?key=My_key.1", "a/b.c-d?key=My_key.1"],
  ])("is written %s", (text, address) => {
    expect(loadConfig({ ...base, PRESTO_STORE: text }, []).store).toMatchObject({
      kind: "kubernetes",
      address,
      isRemote: true,
      keys: undefined,
    });
  });

  it.each([
    "kubernetes:",
    "kubernetes:token",
    "kubernetes:presto/",
    "kubernetes:Presto/token",
    "kubernetes:presto/Token",
    "kubernetes:presto/token/key",
    "kubernetes:presto/token?key=",
    "kubernetes:presto/token?key=a&key=b",
    "kubernetes:presto/token?name=x",
    "kubernetes:presto/../token",
    "kubernetes:-a/token",
    "kubernetes:a/token%2f",
  ])("is not written %s", (text) => {
    expect(problemsOf({ ...base, PRESTO_STORE: text })).toEqual([
      expect.stringMatching(/^PRESTO_STORE: is not kubernetes:namespace\/secret/),
    ]);
  });

  it.each(["all", "rotator"])("is for the role %s, under the Lease of its Secret's name", (role) => {
    const env = { ...base, PRESTO_ROLE: role, PRESTO_EMAIL: "a@b.example", PRESTO_PASSWORD: "x" };
    expect(loadConfig(env, []).store.lock).toEqual({ kind: "lease", namespace: "presto", name: "token" });
    const pod = { POD_NAMESPACE: "presto", POD_NAME: "rotator-6d8f7c9b5-x2x7k" };
    const other = loadConfig({ ...env, ...pod, PRESTO_LOCK: "kubernetes:locks/renewal" }, []).store;
    expect(other).toMatchObject({
      lock: { kind: "lease", namespace: "locks", name: "renewal" },
      pod: { namespace: "presto", name: "rotator-6d8f7c9b5-x2x7k" },
    });
    expect(loadConfig({ ...env, PRESTO_LOCK: "store" }, []).store.lock).toEqual({ kind: "store" });
    expect(loadConfig({ ...env, POD_NAME: "only-one" }, []).store.pod).toBeUndefined();
    expect(problemsOf({ ...env, PRESTO_LOCK: "kubernetes:locks" })).toEqual([
      expect.stringMatching(/^PRESTO_LOCK: is neither store nor kubernetes:namespace\/lease/),
    ]);
    expect(problemsOf({ ...env, POD_NAME: "two words" })).toEqual([
      expect.stringMatching(/^POD_NAME: is no name that Kubernetes/),
    ]);
  });

  it("holds no credentials in the token's Secret, whatever the key", () => {
    const env = { ...base, PRESTO_CREDENTIALS: "kubernetes:presto/token?key=account" };
    expect(() => loadConfig(env, [], "write-credentials")).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringContaining("names the Secret of PRESTO_STORE"),
      }),
    );
    const other = { ...base, PRESTO_CREDENTIALS: "kubernetes:presto/account" };
    expect(loadConfig(other, [], "write-credentials").credentials.address).toBe("presto/account");
  });

  it("knows its cluster from KUBECONFIG, or from what every Pod is told", () => {
    const env = {
      ...base,
      KUBECONFIG: "/a/config::/b/config",
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
      KUBERNETES_SERVICE_PORT: "443",
    };
    expect(loadConfig(env, []).store.servers?.kubernetes).toMatchObject({
      kubeconfig: ["/a/config", "/b/config"],
      host: "10.0.0.1",
      port: "443",
    });
  });

  it("hands nothing of ours to a program that gives credentials", () => {
    const env = { ...base, PRESTO_STORE_KEY: Buffer.alloc(32).toString("base64"), HOME: "/home/me" };
    expect(loadConfig(env, []).store.servers?.kubernetes?.environment).toEqual({ HOME: "/home/me" });
  });

  it("is told of no cluster where the token lies elsewhere", () => {
    const env = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "abc", KUBECONFIG: "/a" };
    expect(loadConfig(env, []).store.servers).toEqual({});
  });
});
