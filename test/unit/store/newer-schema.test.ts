import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createAccounts } from "../../../src/renewal/accounts.ts";
import { reading } from "../../../src/renewal/reading.ts";
import { reconciling, storing } from "../../../src/renewal/storing.ts";
import { Secret } from "../../../src/secret.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { importAccount, importToken } from "../../../src/store/import.ts";
import { createIntentLock } from "../../../src/store/intent-lock.ts";
import { createCredentialStore, createTokenStore } from "../../../src/store/over-backend.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryPlace, type MemoryPlace } from "../../support/memory-backend.ts";
import { createRenewalBench, follow } from "../../support/renewal-bench.ts";
import { endOf, intentBy } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";
import { recordOf } from "./records.ts";

// Whoever writes never writes over what a later version of this program has written, whichever way it comes there.

const newer = Buffer.from(JSON.stringify({ schema: 2, token: "token-9", something: "else" }));

let place: MemoryPlace;
beforeEach(() => {
  place = createMemoryPlace({ tells: false });
  place.put(newer);
});
afterEach(async () => {
  const stands = await place.view("token").read();
  if (stands === undefined || !newer.equals(stands.bytes)) throw new Error("it was written over");
});

const clock = createHandClock();
const newerSchema: unknown = expect.objectContaining({ name: StoreError.name, code: "newer-schema" });

function createStore() {
  return createTokenStore(place.view("token"), { keys: undefined, clock });
}

/** A renewal over that store. */
function createBench() {
  const bench = createRenewalBench();
  const { read, write } = createStore();
  if (write === undefined) throw new Error("the memory can't be written");
  const store = { read, write };
  return { ...bench, at: async () => ({ ...(await bench.at()), deps: { ...bench.deps, store } }) };
}

describe("a record of a newer schema is not written over", () => {
  it("by a plain write, whatever version it expects", async () => {
    const stands = (await place.view("token").read())?.version;
    for (const expected of [undefined, stands, "another"])
      await expect(createStore().write?.(recordOf("token-1"), expected)).rejects.toEqual(newerSchema);
  });

  it("by an import, of a token that lives neither", async () => {
    const wanted = { token: new Secret("token-1"), name: null, expiresAt: null };
    const deps = { clock, isAlive: async () => true };
    await expect(importToken(createStore(), wanted, deps)).rejects.toEqual(newerSchema);
  });

  it("by R1, with its seal, its alarm and what it puts back", async () => {
    const bench = createBench();
    bench.remembered.lives({ ...issuedToken("token-2", 0), generation: 5, since: 0 });
    bench.presto.says("token-2", "alive");
    expect(endOf(await reading(await bench.at()))).toMatchObject({ kind: "unreachable", cause: newerSchema });
  });

  it("by R7 and R7b: the token stays in memory, and is stored once that can be read again", async () => {
    const bench = createBench();
    bench.presto.says("token-2", "alive");
    const run = await bench.at();
    const account = await bench.deps.accounts.next();
    if (account === undefined) throw new Error("no account");
    const candidate = { issued: issuedToken("token-2", 0), account, since: 0 };
    const intent = intentBy("this-process");
    const standing = { intent, record: { ...recordOf("token-1"), intent }, version: "1" };
    expect(await storing(run, { to: "storing", standing, candidate })).toMatchObject({ to: "reconciling" });
    const reconciled = follow(reconciling(run, { to: "reconciling", candidate }));
    await bench.clock.advance(60_000);
    expect(reconciled.now).toBeUndefined();
    bench.closing.abort();
    await bench.clock.advance(10_000);
  });

  it("by whoever takes the intent as the lock", async () => {
    const { read } = createStore();
    const holder = { id: "mine", identity: "host of mine" };
    const lock = createIntentLock({ store: { read }, holder, leaseMs: 45_000, clock, random: () => 0 });
    await expect(lock.acquire({ waitMs: 0 })).rejects.toEqual(newerSchema);
  });

  it("nor are credentials: by an import, or by a password that worked", async () => {
    const store = createCredentialStore(place.view("credentials"), { keys: undefined, clock });
    const account = { email: new Secret("a@b"), password: new Secret("a-password") };
    await expect(importAccount(store, account)).rejects.toEqual(newerSchema);
    const accounts = createAccounts(store, { clock, settleMs: 90_000 });
    await expect(accounts.proved(account)).rejects.toEqual(newerSchema);
    store.close();
  });
});
