import type { Clock } from "../clock.ts";
import { random } from "../lib/async.ts";
import { ignore } from "../lib/events.ts";
import type { Inspection, Remark, Use } from "./inspection.ts";
import { parseSecretAddress } from "./kubernetes/names.ts";
import type { ServerName, StoredCredentialOptions, StoreOptions } from "./open.ts";
import { parseVaultEntry } from "./vault/access.ts";

/** Asks the server that keeps a place, as this process. */
type Inspect = (options: StoredCredentialOptions, use: Use, clock: Clock) => Promise<Inspection>;

const inspectors: { readonly [S in ServerName]: Inspect } = {
  async kubernetes({ address, servers }, use, clock) {
    const parsed = parseSecretAddress(`kubernetes:${address}`);
    const cluster = servers?.kubernetes;
    if (parsed === undefined || cluster === undefined)
      throw new Error("a Secret without an address or a cluster");
    const { inspectSecret } = await import("./kubernetes/inspect.ts");
    return inspectSecret({ ...parsed, cluster, use }, { clock });
  },
  async vault({ address, servers }, use, clock) {
    const entry = parseVaultEntry(address);
    const access = servers?.vault;
    if (access === undefined || typeof entry === "string")
      throw new Error("an entry without an address or an access");
    const [{ inspectEntry }, { openVaultSession }] = await Promise.all([
      import("./vault/inspect.ts"),
      import("./vault/session.ts"),
    ]);
    const session = await openVaultSession(access, { clock, random, emit: ignore });
    try {
      return await inspectEntry({ entry, access, use }, { session, clock });
    } finally {
      await session.logOut();
      session.close();
    }
  },
};

/**
 * What the server that keeps a place says of it and of this process; undefined for a place that no
 * server keeps. Nothing is written.
 * @throws StoreError where the server can't be asked, CommandError `configuration` as the opening of the place does
 */
export async function inspectPlace(
  options: StoredCredentialOptions,
  use: Use,
  clock: Clock,
): Promise<Inspection | undefined> {
  const { server } = options;
  return server === undefined ? undefined : inspectors[server](options, use, clock);
}

/**
 * What is known of the lock that a renewal is done under: whether this process may take it, and who holds it.
 * @throws as `inspectPlace`
 */
export async function inspectLock({ lock, servers }: StoreOptions, clock: Clock): Promise<Remark> {
  switch (lock?.kind) {
    case undefined:
      return { result: "SKIP", detail: "Nothing is written there, so there is no lock." };
    case "own":
      return {
        result: "SKIP",
        detail: "The lock is the file's own; who waits for it names its holder (status).",
      };
    case "store":
      return { result: "SKIP", detail: "The record's intent is the lock (PRESTO_LOCK=store); see renewal." };
    case "lease": {
      const cluster = servers?.kubernetes;
      if (cluster === undefined) throw new Error("a Lease without a cluster");
      const { inspectLease } = await import("./kubernetes/inspect.ts");
      return inspectLease({ namespace: lock.namespace, name: lock.name }, cluster, { clock });
    }
  }
}
