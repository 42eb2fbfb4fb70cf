import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import type { Home, StoredRecord } from "../../../src/store/contract.ts";
import { describeElsewhere, homeKept, homeOf, isAtHome, refuseElsewhere } from "../../../src/store/home.ts";
import { importToken } from "../../../src/store/import.ts";
import { createScriptedStore } from "../../support/scripted-store.ts";
import { recordOf } from "./records.ts";

const here = { uid: "uid-1", name: "token" };
const there = { uid: "uid-2", name: "token" };

function found(home: Home | null | undefined, identity: Home | undefined): StoredRecord {
  const record = home === undefined ? recordOf("token-1") : { ...recordOf("token-1"), home };
  return { record, version: "v1", ...(identity === undefined ? {} : { identity }) };
}

describe("whose record it is", () => {
  it.each([
    { name: "one that names its object", home: here, identity: here, ours: true },
    { name: "one with more words for it", home: { ...here, more: "x" }, identity: here, ours: true },
    { name: "one of another object", home: there, identity: here, ours: false },
    { name: "one of another kind of place", home: { path: "a" }, identity: here, ours: false },
    { name: "one of before there was a home", home: undefined, identity: here, ours: true },
    { name: "one that was just created", home: null, identity: here, ours: true },
    { name: "one in a place that tells no objects apart", home: there, identity: undefined, ours: true },
  ])("$name: $ours", ({ home, identity, ours }) => {
    expect(isAtHome(found(home, identity))).toBe(ours);
  });

  it("none at all is a first start's", () => {
    expect(isAtHome(undefined)).toBe(true);
  });

  it("a write of a token names the object that it goes to; any other write keeps what is named", () => {
    expect([homeOf(found(there, here)), homeKept(found(there, here))]).toEqual([here, there]);
    expect([homeOf(found(undefined, here)), homeKept(found(undefined, here))]).toEqual([here, here]);
    expect([homeOf(found(there, undefined)), homeKept(undefined)]).toEqual([null, null]);
  });

  it("a person is told both, and the command that takes it as one's own", () => {
    const text = describeElsewhere(found({ uid: "u\n2" }, here));
    expect(text).toContain('(uid "u\\n2") than the one that it stands in (uid "uid-1", name "token")');
    expect(text).toContain("presto-sidecar token renew --force");
    expect(() => refuseElsewhere(found(there, here))).toThrow(
      expect.objectContaining({ exitCode: 77, message: expect.stringContaining("token renew --force") }),
    );
    refuseElsewhere(found(here, here));
  });
});

describe("a token that a person imports", () => {
  const wanted = { token: new Secret("token-2"), name: null, expiresAt: null };
  const deps = { clock: { now: () => 0 }, isAlive: async () => true };

  it("makes the record this side's", async () => {
    const store = createScriptedStore([]);
    store.put({ ...recordOf("token-1"), home: there });
    store.tellsOf(here);
    await importToken({ kind: "scripted", canChange: true, close() {}, ...store }, wanted, deps);
    expect(store.record()).toMatchObject({ generation: 2, home: here });
  });

  it("names the object of a record that it creates", async () => {
    const store = createScriptedStore([]);
    store.tellsOf(here);
    await importToken({ kind: "scripted", canChange: true, close() {}, ...store }, wanted, deps);
    expect(store.record()).toMatchObject({ generation: 1, home: here });
    expect(store.written).toHaveLength(2);
  });
});
