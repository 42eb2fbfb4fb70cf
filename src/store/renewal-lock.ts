import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import { random } from "../lib/async.ts";
import type { RenewalLock, TokenStore } from "./contract.ts";
import { createClaimLock, createIntentLock, type LockHolder } from "./intent-lock.ts";

/** What a lock is taken with where the store has none of its own. */
export interface RenewalLockOptions {
  readonly holder: LockHolder;
  /** For so long a holder may be silent before others take its work over, milliseconds. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

/** This process, as it takes locks from now on. A pod's host is named after it. */
export function newLockHolder(): LockHolder {
  const id = randomUUID();
  return { id, identity: `${hostname()} ${id}` };
}

type LockedStore = Pick<TokenStore, "kind" | "lock" | "read" | "write">;

/**
 * The lock under which the token of a store is renewed: its own, or else the record's intent. Takes nothing yet.
 * @throws CommandError `refused` for a store that can only be read
 */
export function openRenewalLock(store: LockedStore, options: RenewalLockOptions): RenewalLock {
  if (store.lock !== undefined) return store.lock();
  if (store.write === undefined) throw readOnly(store);
  return createIntentLock({ ...options, store: { read: () => store.read() }, random });
}

/**
 * The same for work that no renewal may happen beside, and that writes no intent by itself: a password's reset.
 * @throws CommandError `refused` for a store that can only be read
 */
export function openWorkLock(store: LockedStore, options: RenewalLockOptions): RenewalLock {
  const { lock, write } = store;
  if (lock !== undefined) return lock();
  if (write === undefined) throw readOnly(store);
  return createClaimLock({
    ...options,
    store: { read: () => store.read(), write: (record, expected) => write(record, expected) },
    newId: randomUUID,
    random,
  });
}

function readOnly({ kind }: Pick<TokenStore, "kind">): CommandError {
  return new CommandError(
    "refused",
    `PRESTO_STORE is ${kind}:, which can only be read: its token is looked after by somebody else. Name a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.`,
  );
}

/**
 * What is done by hand is done under the store's lock, where it has one. Where it has none, the record's
 * version has to do: nothing is written over what somebody else wrote, nor beside a renewal under way.
 * @throws CommandError `refused` for a store that can only be read
 */
export function openImportLock({ kind, lock, write }: Omit<LockedStore, "read">): RenewalLock {
  if (lock !== undefined) return lock();
  if (write === undefined) throw readOnly({ kind });
  return versionLock;
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
