import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { type StoredRecord, StoreError, type TokenStore } from "../../../src/store/contract.ts";
import { type ImportDeps, importToken, type TokenImport } from "../../../src/store/import.ts";
import { emptyRecord } from "../../../src/store/record.ts";

const deps: ImportDeps = { clock: systemClock, isAlive: async () => false };
const wanted: TokenImport = { token: new Secret("new-token"), name: null, expiresAt: null };

/** A store in memory whose write does what the test says. */
function memory(
  write: (stored: { now: StoredRecord | undefined }, next: StoredRecord) => "written" | "refused",
): TokenStore & { readonly stored: { now: StoredRecord | undefined } } {
  const stored: { now: StoredRecord | undefined } = { now: undefined };
  return {
    kind: "file",
    canChange: true,
    stored,
    read: async () => stored.now,
    async write(record) {
      const outcome = write(stored, { record, version: "2" });
      return outcome === "written" ? { outcome, version: "2" } : { outcome };
    },
    close() {},
  };
}

it("takes a write that threw for done where the record stands in the store", async () => {
  const store = memory((stored, next) => {
    stored.now = next;
    throw new StoreError("unreadable", "The answer was lost.");
  });
  expect((await importToken(store, wanted, deps)).generation).toBe(1);
});

it("takes it for failed where another record stands there, and passes the reason on", async () => {
  const store = memory((stored, next) => {
    stored.now = { version: "3", record: { ...next.record, writtenBy: { holder: "another", lock: "x" } } };
    throw new StoreError("unreadable", "The disk is full.");
  });
  await expect(importToken(store, wanted, deps)).rejects.toThrow("The disk is full.");
});

it("takes it for failed where nothing stands there", async () => {
  const store = memory(() => {
    throw new StoreError("unreadable", "The disk is full.");
  });
  await expect(importToken(store, wanted, deps)).rejects.toThrow("The disk is full.");
});

it("passes the first reason on where the store can't even be read", async () => {
  let reads = 0;
  const store: TokenStore = {
    kind: "file",
    canChange: true,
    async read() {
      reads += 1;
      if (reads > 1) throw new StoreError("unreadable", "second");
      return undefined;
    },
    async write() {
      throw new StoreError("unreadable", "first");
    },
    close() {},
  };
  await expect(importToken(store, wanted, deps)).rejects.toThrow("first");
});

it("is to be tried again where somebody else wrote at the same moment", async () => {
  await expect(
    importToken(
      memory(() => "refused"),
      wanted,
      deps,
    ),
  ).rejects.toMatchObject({ code: "try-again" });
});

it("is refused by a store that can't be written", async () => {
  const { write: _, ...readOnly } = memory(() => "written");
  await expect(importToken(readOnly, wanted, deps)).rejects.toMatchObject({ code: "refused" });
});

describe("while an intent stands", () => {
  const left = {
    id: "an-id",
    holder: "ghost",
    soleCall: true,
    reason: "scheduled",
    at: new Date(0),
  } as const;

  function beside(): ReturnType<typeof memory> {
    const store = memory((stored, next) => {
      stored.now = next;
      return "written";
    });
    const record = { ...emptyRecord, unexplainedDeaths: [new Date(1)], lastDeath: "dead", intent: left };
    store.stored.now = { version: "1", record };
    return store;
  }

  it("a token that lives is stored beside it: it stays, and proves nothing any more", async () => {
    const store = beside();
    await importToken(store, wanted, { ...deps, isAlive: async () => true });
    expect(store.stored.now?.record).toMatchObject({
      generation: 1,
      intent: { ...left, soleCall: false },
      unexplainedDeaths: [new Date(1)],
      lastDeath: "dead",
    });
  });

  it("one that is not proved alive is not", async () => {
    const store = beside();
    await expect(importToken(store, wanted, deps)).rejects.toMatchObject({ code: "try-again" });
    expect(store.stored.now?.record.token).toBeNull();
  });
});
