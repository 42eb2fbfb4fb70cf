import { CommandError } from "../../src/errors.ts";
import type { Issuer } from "../../src/presto/auth.ts";
import { callTimeoutMs, settleReset } from "../../src/presto/password-reset.ts";
import type { WritableStore } from "../../src/renewal/run.ts";
import { Secret } from "../../src/secret.ts";
import { type CredentialStore, type RenewalLock, StoreError } from "../../src/store/contract.ts";
import type { SimProcess } from "./sim-process.ts";

/** What a command that resets the password works with. */
export interface ResetSurroundings {
  readonly process: SimProcess;
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly credentials: CredentialStore;
  readonly issuer: Pick<Issuer, "resetPassword">;
}

/** As the command waits for it, milliseconds. */
const lockWaitMs = 5_000;

/**
 * One run of `password reset`, in a process of its own: a new password where none is
 * pending, else the earlier one settled.
 * @returns true once there is nothing pending any more
 */
export async function resetOnce(surroundings: ResetSurroundings, newPassword: string): Promise<boolean> {
  try {
    return await reset(surroundings, newPassword);
  } catch (error) {
    // What a command ends with that can be run again.
    if (error instanceof CommandError || error instanceof StoreError) return false;
    throw error;
  }
}

async function reset(
  { process, store, lock, credentials, issuer }: ResetSurroundings,
  newPassword: string,
): Promise<boolean> {
  const { clock } = process;
  const { write } = credentials;
  if (write === undefined) throw new Error("these credentials can't be written");
  const stored = await credentials.read();
  const wanted = stored?.credentials.pending === null ? new Secret(newPassword) : undefined;
  const held = await lock.acquire({ waitMs: lockWaitMs });
  try {
    const found = await store.read();
    if (found !== undefined && found.record.intent !== null) return false;
    const outcome = await settleReset(
      {
        store: { read: () => credentials.read(), write },
        issuer,
        clock,
        mayBegin: () => clock.monotonic() + callTimeoutMs < held.heldUntil(),
        signal: new AbortController().signal,
      },
      wanted,
    );
    return outcome.kind === "changed" && outcome.stored;
  } finally {
    await held.release();
  }
}
