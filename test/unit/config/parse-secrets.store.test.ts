import { describe, expect, it } from "vitest";

import {
  parseKeys,
  parseLock,
  parsePath,
  parsePins,
  parseStoreAddress,
  parseToken,
} from "../../../src/config/parse-secrets.ts";
import { InvalidValue } from "../../../src/config/parse.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const otherKey = Buffer.alloc(32, 8).toString("base64");

describe("where the token lives", () => {
  it("is the environment or a file", () => {
    expect(parseStoreAddress("env:")).toMatchObject({ kind: "env", canWrite: false, sealing: "never" });
    expect(parseStoreAddress("file:/var/lib/presto/token")).toMatchObject({
      kind: "file",
      address: "/var/lib/presto/token",
      canWrite: true,
      sealing: "always",
    });
  });

  it.each(["aws:presto", "gcp:projects/p/secrets/s", "azure:https://v/secrets/n"])(
    "%s is told apart from a spelling mistake",
    (text) => {
      expect(() => parseStoreAddress(text)).toThrow("this version does not have yet");
    },
  );

  it("is an entry of a Vault, which is sealed if a key is given", () => {
    expect(parseStoreAddress("vault:team/kv/presto.prod")).toMatchObject({
      kind: "vault",
      address: "team/kv/presto.prod?field=record",
      canWrite: true,
      isRemote: true,
      lock: { kind: "store" },
      sealing: "with-a-key",
      objects: ["vault:team/kv/presto.prod"],
    });
    // Whoever may read the one field may read the other.
    expect(parseStoreAddress("vault:secret/presto?field=token").objects).toEqual(["vault:secret/presto"]);
  });

  it("says which lock renewals are done under, unless another is named", () => {
    expect(parseStoreAddress("env:").lock).toBeUndefined();
    expect(parseStoreAddress("file:/var/lib/presto/token").lock).toEqual({ kind: "own" });
    expect(parseStoreAddress("kubernetes:presto/token?key=k").lock).toEqual({
      kind: "lease",
      namespace: "presto",
      name: "token",
    });
  });

  it.each([
    "vault:presto",
    "vault:/secret/presto",
    "vault:secret/presto/",
    "vault:secret//presto",
    "vault:secret/../sys/raw",
    "vault:secret/./presto",
    "vault:secret/presto%2f",
    "vault:secret/pre sto",
    "vault:secret/presto?",
    "vault:secret/presto?field=",
    "vault:secret/presto?key=record",
    "vault:secret/presto?field=a?field=b",
  ])("%j is no entry of a Vault", (text) => {
    expect(() => parseStoreAddress(text)).toThrow(InvalidValue);
  });

  it.each([
    ["env", "env:"],
    ["env:PRESTO_TOKEN", "nothing behind it"],
    ["file", "none of"],
    ["file:", "absolute"],
    ["file:token", "absolute"],
    ["file:~/token", "absolute"],
    ["file:///var/token", "slashes"],
    ["file:/var/", "folder"],
    ["file:/", "folder"],
    ["FILE:/var/token", "none of"],
    ["/var/token", "none of"],
    ["", "none of"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseStoreAddress(text)).toThrow(InvalidValue);
    expect(() => parseStoreAddress(text)).toThrow(why);
  });
});

describe("the lock", () => {
  it("is the store's compare-and-set, or a Lease", () => {
    expect(parseLock("store")).toEqual({ kind: "store" });
    expect(parseLock("kubernetes:presto/renewal.of-token")).toEqual({
      kind: "lease",
      namespace: "presto",
      name: "renewal.of-token",
    });
  });

  it.each([
    "",
    "own",
    "file",
    "Store",
    "kubernetes:",
    "kubernetes:token",
    "kubernetes:a/b/c",
    "kubernetes:A/b",
  ])("%j is none", (text) => {
    expect(() => parseLock(text)).toThrow(InvalidValue);
    expect(() => parseLock(text)).toThrow("neither store nor kubernetes:namespace/lease");
  });

  it("is not named by a key of a Secret", () => {
    expect(() => parseLock("kubernetes:presto/token?key=record")).toThrow(InvalidValue);
  });
});

describe("paths", () => {
  it.each(["token", "./token", "../token", "~/token", " /token", "/folder/", "/a\0b", "/a\nb", "/a\u009bb"])(
    "%j is refused",
    (text) => {
      expect(() => parsePath(text)).toThrow(InvalidValue);
    },
  );

  it("may hold spaces and any letters", () => {
    expect(parsePath("/srv/clé de presto")).toBe("/srv/clé de presto");
  });
});

describe("a token by value", () => {
  it.each([
    ["1111|kjbd", "1111|kjbd"],
    ["abc\n", "abc"],
    ["abc\r\n", "abc"],
    ["!~", "!~"],
  ])("%j is accepted", (text, token) => {
    expect(parseToken(text).reveal()).toBe(token);
  });

  it.each([
    "\n",
    "\r\n",
    "abc\n\n",
    "a b",
    " abc",
    "abc\t",
    "a\nb",
    "abc\r",
    "clé",
    "a\0",
    "a\x7f",
    "\ufeffabc",
  ])("%j is refused", (text) => {
    expect(() => parseToken(text)).toThrow(InvalidValue);
  });

  it("is not in the message that refuses it", () => {
    expect(() => parseToken("MARKED TOKEN")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("MARKED") }),
    );
  });
});

describe("store keys by value", () => {
  it.each([key, `${key},${otherKey}`, `${key}\n`])("%j is accepted", (text) => {
    expect(() => parseKeys(text)).not.toThrow();
  });

  it.each([
    key.slice(0, -1),
    Buffer.alloc(31, 7).toString("base64"),
    Buffer.alloc(33, 7).toString("base64"),
    Buffer.alloc(32, 251).toString("base64url"),
    "not a key",
    `${key},`,
    `${key};${otherKey}`,
    "7".repeat(64),
  ])("%j is refused", (text) => {
    expect(() => parseKeys(text)).toThrow(InvalidValue);
  });

  it("are named by their place, never shown", () => {
    expect(() => parseKeys(`${key},MARKED`)).toThrow(/key 2 of 2/i);
    expect(() => parseKeys(`${key},MARKED`)).toThrow(
      expect.not.objectContaining({ message: expect.stringMatching(`MARKED|${key.slice(0, 8)}`) }),
    );
  });
});

describe("pins", () => {
  it("lose their prefix", () => {
    expect(parsePins(`sha256/${key}, sha256/${otherKey}`)).toEqual([key, otherKey]);
  });

  it.each([
    [key, "sha256/"],
    [`sha1/${key}`, "sha256/"],
    [`SHA256/${key}`, "sha256/"],
    [`sha256/${key.slice(0, -1)}`, "32 bytes"],
    [`sha256/${Buffer.alloc(20).toString("base64")}`, "32 bytes"],
    [`sha256/${key},`, "empty"],
    [`sha256/${key},sha256/${key}`, "same as entry 1"],
    [`sha256/${key},sha256/x,y`, "entry 3"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parsePins(text)).toThrow(InvalidValue);
    expect(() => parsePins(text)).toThrow(why);
  });
});
