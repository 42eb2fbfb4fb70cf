import { describe, expect, it } from "vitest";

import {
  isName,
  isNamespace,
  parseNamespacedName,
  parseSecretAddress,
} from "../../../../src/store/kubernetes/names.ts";

describe("a name in a cluster", () => {
  it.each(["a", "a-b", "0", "x".repeat(63)])("%s is both a namespace's and an object's", (text) => {
    expect([isNamespace(text), isName(text)]).toEqual([true, true]);
  });

  it.each(["a.b", "x".repeat(64), "x".repeat(253), "web-0.web"])("%s is an object's alone", (text) => {
    expect([isNamespace(text), isName(text)]).toEqual([false, true]);
  });

  it.each(["", "-a", "a-", ".a", "a.", "A", "a_b", "a/b", "a b", "a\n", "x".repeat(254)])(
    "%j is neither",
    (text) => {
      expect([isNamespace(text), isName(text)]).toEqual([false, false]);
    },
  );
});

describe("an address of one", () => {
  it("is a namespace and a name, and of a Secret a key, which is record unless given", () => {
    const token = { namespace: "payments", name: "presto.token" };
    expect(parseNamespacedName("kubernetes:payments/presto.token")).toEqual(token);
    expect(parseSecretAddress("kubernetes:payments/presto.token")).toEqual({ ...token, key: "record" });
    expect(parseSecretAddress("kubernetes:payments/presto.token?key=Own_key.1")).toEqual({
      ...token,
      key: "Own_key.1",
    });
  });

  it.each([
    "",
    "payments/token",
    "kubernetes:token",
    "kubernetes:pay.ments/token",
    "kubernetes:payments/token/more",
    "kubernetes:payments/token?key=",
    "kubernetes:payments/token?key=a/b",
    "kubernetes:payments/token&key=a",
    "kubernetes:Payments/token",
    "kubernetes:payments/token\n",
  ])("%j is none", (text) => {
    expect([parseNamespacedName(text), parseSecretAddress(text)]).toEqual([undefined, undefined]);
  });

  it("with a key is a Secret's and no Lease's", () => {
    expect(parseNamespacedName("kubernetes:payments/token?key=a")).toBeUndefined();
  });
});
