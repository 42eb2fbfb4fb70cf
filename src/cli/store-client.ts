import { CommandError } from "../errors.ts";
import { type HeldLock, type RenewalLock, StoreError } from "../store/contract.ts";
import type { StoreOptions } from "../store/open.ts";
import type { Io } from "./command.ts";

/** Milliseconds that a command waits for a lock that another process holds. */
export const lockWaitMs = 5_000;

/**
 * Does what no renewal may happen beside.
 * @throws CommandError `try-again`, which says who holds the lock
 */
export async function withRenewalLock<T>(
  lock: RenewalLock,
  io: Io,
  work: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const held = await lock.acquire({ waitMs: lockWaitMs, signal: io.signal });
  try {
    return await work(held);
  } finally {
    await held.release();
  }
}

/** For `read().catch`: a sidecar waits for a key file; a command that is run once can't, and without a key says nothing of the record. */
export function refuseKeyless({ keys }: Pick<StoreOptions, "keys">): (error: unknown) => never {
  return (error) => {
    if (keys === undefined || !(error instanceof StoreError) || error.code !== "not-yet") throw error;
    throw new CommandError(
      "configuration",
      `${error.message} Make a key with: presto-sidecar keygen, if the record was not sealed yet.`,
      error,
    );
  };
}
