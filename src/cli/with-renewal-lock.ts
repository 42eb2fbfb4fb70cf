import type { HeldLock, RenewalLock } from "../store/contract.ts";
import type { Io } from "./command.ts";

/** Milliseconds that a command waits for a lock that another process holds. */
export const lockWaitMs = 5_000;

/**
 * Does what no renewal may happen beside.
 * @throws Failure `try-again`, which says who holds the lock
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
