import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import {
  type Credentials,
  type CredentialStore,
  type StoredCredentials,
  StoreError,
  type WriteResult,
} from "../../../src/store/contract.ts";
import { importAccount } from "../../../src/store/import.ts";

const account = { email: new Secret("ops@bank.example"), password: new Secret("New-password-1") };
const other: Credentials = {
  email: account.email,
  password: new Secret("Old-password-2"),
  pending: null,
};

interface Memory extends CredentialStore {
  now: StoredCredentials | undefined;
}

function memory(
  first: Credentials | undefined,
  write?: (self: Memory, credentials: Credentials) => WriteResult,
): Memory {
  const self: Memory = {
    kind: "file",
    now: first && { credentials: first, version: "1" },
    read: async () => self.now,
    watch: () => () => {},
    close() {},
    async write(credentials, expected) {
      if (write !== undefined) return write(self, credentials);
      if (expected !== self.now?.version) return { outcome: "refused" };
      self.now = { credentials, version: "2" };
      return { outcome: "written", version: "2" };
    },
  };
  return self;
}

const passwordOf = (store: Memory): string | undefined => store.now?.credentials.password.reveal();

describe("storing an account", () => {
  it("puts it there, and says whether it took the place of another", async () => {
    for (const first of [undefined, other]) {
      const store = memory(first);
      expect(await importAccount(store, account)).toBe(first !== undefined);
      expect(passwordOf(store)).toBe("New-password-1");
      expect(store.now?.credentials.pending).toBeNull();
    }
  });

  it("is refused while a password reset is not settled, and drops neither password", async () => {
    const store = memory({ ...other, pending: new Secret("Pending-3") });
    await expect(importAccount(store, account)).rejects.toMatchObject({
      exitCode: 77,
      message: expect.stringContaining("presto-sidecar password reset"),
    });
    expect(passwordOf(store)).toBe("Old-password-2");
    expect(store.now?.credentials.pending?.reveal()).toBe("Pending-3");
  });

  it("is to be tried again where somebody else wrote at the same moment", async () => {
    const store = memory(other, () => ({ outcome: "refused" }));
    await expect(importAccount(store, account)).rejects.toMatchObject({ exitCode: 75 });
  });

  it("takes a write that threw for done only where the account stands there", async () => {
    const lost = memory(other, (self, credentials) => {
      self.now = { credentials, version: "2" };
      throw new StoreError("unreadable", "The answer was lost.");
    });
    expect(await importAccount(lost, account)).toBe(true);
    const failed = memory(other, () => {
      throw new StoreError("unreadable", "The disk is full.");
    });
    await expect(importAccount(failed, account)).rejects.toThrow("The disk is full.");
  });

  it("is refused where the credentials can only be read", async () => {
    const { write: _, ...readOnly } = memory(undefined);
    await expect(importAccount(readOnly, account)).rejects.toMatchObject({ exitCode: 77 });
  });
});
