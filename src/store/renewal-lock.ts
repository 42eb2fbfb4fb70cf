import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import { random } from "../lib/async.ts";
import type { OpenLock, TokenStore } from "./contract.ts";
import { holderName } from "./holder.ts";
import { createClaimLock, createIntentLock } from "./intent-lock.ts";
import type { StoreOptions } from "./open.ts";
import { leaseMs } from "./term.ts";

/** What is done under it. Where the record's intent is the lock, it has to know. */
export type LockUse =
  /** A renewal, which writes intents of its own. */
  | "renewal"
  /** A token is written by hand: by compare-and-set, and its own look at an intent that stands. */
  | "record"
  /** The account is changed: nothing in the record tells of that. */
  | "account";

export interface RenewalLockOptions {
  readonly store: TokenStore;
  readonly use: LockUse;
  /** How the store was opened. */
  readonly options: Pick<StoreOptions, "kind" | "lock" | "servers" | "pod">;
  readonly clock: Clock;
  /** UUID of this process, new at every start. */
  readonly holder?: string;
}

/**
 * The lock under which the token of a store is renewed, its record is imported, its account's password is
 * changed: the one that is configured. Takes nothing yet.
 * @throws CommandError `refused` for a store that can only be read, `configuration` where it is not said how the Lease's server is reached
 */
export async function openRenewalLock(asked: RenewalLockOptions): Promise<OpenLock> {
  const { store, use, options, clock, holder: id = randomUUID() } = asked;
  const { kind, lock } = options;
  const { read, write } = store;
  if (write === undefined || lock === undefined) {
    throw new CommandError(
      "refused",
      `PRESTO_STORE is ${kind}:, which can only be read: its token is looked after by somebody else. Name a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.`,
    );
  }
  const holder = holderName(options.pod, id);
  switch (lock.kind) {
    case "own":
      if (store.lock === undefined) throw new Error(`${kind}: has no lock of its own`);
      return { ...store.lock(), close() {} };
    case "store": {
      if (use === "record") return versionLock;
      const intent = { store: { read, write }, holder: { id, identity: holder }, leaseMs, clock, random };
      const made =
        use === "account" ? createClaimLock({ ...intent, newId: randomUUID }) : createIntentLock(intent);
      return { ...made, close() {} };
    }
    case "lease": {
      const cluster = options.servers?.kubernetes;
      if (cluster === undefined) throw new Error("a Lease is opened without a cluster");
      const { openLeaseLock } = await import("./kubernetes/lease.ts");
      return openLeaseLock({ ...lock, holder, cluster }, { clock, random });
    }
  }
}

/** Nothing is written over what somebody else wrote, nor beside a renewal under way: the record's version sees to it. */
const versionLock: OpenLock = {
  name: "the record's version",
  acquire: async () => ({
    identity: "the record's version",
    heldUntil: () => Number.POSITIVE_INFINITY,
    renew: async () => true,
    release: async () => {},
  }),
  close() {},
};
