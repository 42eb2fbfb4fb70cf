import { CommandError } from "../../src/errors.ts";
import type { Issuer } from "../../src/presto/auth.ts";
import { callTimeoutMs, settleReset } from "../../src/presto/password-reset.ts";
import type { ProbeVerdict } from "../../src/presto/probe.ts";
import { Secret } from "../../src/secret.ts";
import {
  type CredentialStore,
  type RenewalLock,
  StoreError,
  type TokenStore,
  type WritableStore,
} from "../../src/store/contract.ts";
import { importToken, type TokenImport } from "../../src/store/import.ts";
import type { SimProcess } from "./sim-process.ts";

/** As commands wait for the lock, milliseconds. */
const lockWaitMs = 5_000;

/** What a command that resets the password works with. */
export interface ResetSurroundings {
  readonly process: SimProcess;
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly credentials: CredentialStore;
  readonly issuer: Pick<Issuer, "resetPassword">;
}

/**
 * One run of `password reset`, in a process of its own: a new password where none is
 * pending, else the earlier one settled.
 * @returns true once there is nothing pending any more
 */
export function resetOnce(surroundings: ResetSurroundings, newPassword: string): Promise<boolean> {
  return asCommand(() => reset(surroundings, newPassword));
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
    // Where the intent is the lock, the one that stands there now is ours.
    if (held.intent === undefined && (await store.read())?.record.intent) return false;
    const outcome = await settleReset(
      {
        store: { read: () => credentials.read(), write },
        issuer,
        clock,
        random: () => 0.5,
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

/** What a command that imports a token works with. */
export interface ImportSurroundings {
  readonly process: SimProcess;
  readonly store: TokenStore;
  readonly lock: RenewalLock;
  readonly probe: (token: Secret) => Promise<ProbeVerdict>;
}

/** One run of `token import`. @returns true once it is stored */
export function importOnce(
  { process, store, lock, probe }: ImportSurroundings,
  wanted: TokenImport,
): Promise<boolean> {
  return asCommand(async () => {
    const isAlive = async (): Promise<boolean> => (await probe(wanted.token)) === "alive";
    let heldByOther: CommandError | undefined;
    // As the command does it: beside whoever holds the lock only what is proved alive is stored.
    const held = await lock.acquire({ waitMs: lockWaitMs }).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      heldByOther = error;
    });
    try {
      await importToken(store, wanted, { clock: process.clock, isAlive, heldByOther });
      return true;
    } finally {
      await held?.release();
    }
  });
}

/** False for what a command ends with that can be run again. */
async function asCommand(run: () => Promise<boolean>): Promise<boolean> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CommandError || error instanceof StoreError) return false;
    throw error;
  }
}
