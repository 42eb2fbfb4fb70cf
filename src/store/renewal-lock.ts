import { CommandError } from "../errors.ts";
import type { RenewalLock, TokenStore } from "./contract.ts";

/**
 * The lock of a store, under which its token is renewed, its record is imported, its account's
 * password is changed. Takes nothing yet.
 * @throws CommandError `refused` for a store that can only be read, `configuration` for one without a lock
 */
export function openRenewalLock({
  kind,
  lock,
  write,
}: Pick<TokenStore, "kind" | "lock" | "write">): RenewalLock {
  if (lock !== undefined) return lock();
  if (write !== undefined) {
    throw new CommandError(
      "configuration",
      `PRESTO_STORE is ${kind}:, which has no lock of its own, and without one this version neither issues tokens nor changes passwords. Tokens are put there with: presto-sidecar token import`,
    );
  }
  throw new CommandError(
    "refused",
    `PRESTO_STORE is ${kind}:, which can only be read: its token is looked after by somebody else. Name a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.`,
  );
}

/**
 * What is done by hand is done under the store's lock, where it has one. Where it has none, the record's
 * version has to do: nothing is written over what somebody else wrote, nor beside a renewal under way.
 */
export function openImportLock(store: Pick<TokenStore, "kind" | "lock" | "write">): RenewalLock {
  return store.lock === undefined && store.write !== undefined ? versionLock : openRenewalLock(store);
}

const versionLock: RenewalLock = {
  name: "the record's version",
  acquire: async () => ({
    identity: "the record's version",
    heldUntil: () => Number.POSITIVE_INFINITY,
    renew: async () => true,
    release: async () => {},
  }),
};
