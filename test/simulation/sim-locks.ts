import type { RenewalLock, WritableStore } from "../../src/store/contract.ts";
import { holderName } from "../../src/store/holder.ts";
import { createClaimLock, createIntentLock } from "../../src/store/intent-lock.ts";
import { createLeaseLock } from "../../src/store/kubernetes/lease.ts";
import { leaseMs as leaseTermMs } from "../../src/store/term.ts";
import type { Random } from "./random.ts";
import { leaseAddress, type SimApiServer } from "./sim-api-server.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimStore } from "./sim-store.ts";
import type { Timeline } from "./timeline.ts";

/** What is done under a lock. Where the record's intent is the lock, it has to know. */
export type LockUse = "renewal" | "record" | "account";

/** The lock of a world, of whichever kind. */
export interface SimLocks {
  /** @param store as this process uses it */
  forProcess(process: SimProcess, use: LockUse, store: WritableStore): RenewalLock;
  /** Milliseconds for which nobody else can have what this process has, or is about to have. */
  termLeft(process: SimProcess): number;
  /** Whose it is, for all that stands there. */
  holder(): SimProcess | undefined;
}

/** The lock was given to somebody. */
export type OnTaken = (process: SimProcess) => void;

export interface SharedLocksOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly onTaken: OnTaken;
}

/** The Lease that ships, over the API server that keeps the Secret too: both are away together. */
export function createLeaseLocks(
  { timeline, random, onTaken }: SharedLocksOptions,
  server: Pick<SimApiServer, "connect" | "lease">,
): SimLocks {
  const processes = new Map<string, SimProcess>();

  function holder(): SimProcess | undefined {
    return processes.get(server.lease().holder ?? "");
  }

  return {
    forProcess(process) {
      const name = holderName({ namespace: leaseAddress.namespace, name: process.role }, process.holder);
      processes.set(name, process);
      const lock = createLeaseLock(
        { ...leaseAddress, holder: name },
        { api: server.connect(process, true), clock: process.clock, random: () => random.next() },
      );
      return tellTaken(lock, process, onTaken);
    },
    termLeft: (process) =>
      holder() === process
        ? server.lease().writtenAt + leaseTermMs - timeline.now()
        : Number.POSITIVE_INFINITY,
    holder,
  };
}

/** The record's intent is the lock: what ships, over the store of the record. */
export function createIntentLocks(
  { timeline, random, onTaken, leaseMs }: SharedLocksOptions & { readonly leaseMs: number },
  store: Pick<SimStore, "current" | "writtenAt">,
): SimLocks {
  const processes = new Map<string, SimProcess>();

  function holder(): SimProcess | undefined {
    return processes.get(store.current()?.record.intent?.holder ?? "");
  }

  return {
    forProcess(process, use, { read, write }) {
      processes.set(process.holder, process);
      // What is done to the record by hand goes by its version.
      if (use === "record") return versionLock;
      let claims = 0;
      const options = {
        store: { read, write },
        holder: { id: process.holder, identity: process.name },
        leaseMs,
        clock: process.clock,
        random: () => random.next(),
      };
      const newId = (): string => {
        claims += 1;
        return `${process.name}, claim ${claims}`;
      };
      const lock = use === "account" ? createClaimLock({ ...options, newId }) : createIntentLock(options);
      return tellTaken(lock, process, onTaken);
    },
    termLeft: (process) =>
      holder() === process ? store.writtenAt() + leaseMs - timeline.now() : Number.POSITIVE_INFINITY,
    holder,
  };
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

/** Tells when a process has it: from then on its intents count. */
function tellTaken(lock: RenewalLock, process: SimProcess, onTaken: OnTaken): RenewalLock {
  return {
    ...lock,
    async acquire(options) {
      const held = await lock.acquire(options);
      onTaken(process);
      return held;
    },
  };
}
