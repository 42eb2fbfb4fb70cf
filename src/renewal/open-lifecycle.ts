import { Failure } from "../errors.ts";
import type { Signals } from "../observe/events.ts";
import {
  type CredentialStore,
  type StoredCredentials,
  StoreError,
  type TokenRecord,
} from "../store/contract.ts";
import { composeRenewal, type RenewalSurroundings } from "./compose-renewal.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { createRenewal } from "./machine.ts";

export interface LifecycleSurroundings extends RenewalSurroundings {
  /** The record in hand, as the store was last read. */
  readonly current: () => TokenRecord | undefined;
}

/**
 * The token's life, for a sidecar that runs: over the real lock, issuer and credentials.
 * @throws Failure `refused` for a store that can't be written, `configuration` for credentials that are there and can't be read
 */
export async function openLifecycle(options: LifecycleSurroundings): Promise<Lifecycle> {
  const { parts, credentials, dueAt } = await composeRenewal(options);
  const stored = await credentials.read().catch(unlessNotYet);
  if (stored?.sealedWithFirstKey === false) await sealAnew(credentials, stored, options.signals);
  const lifecycle = createLifecycle({
    parts,
    renewal: createRenewal(parts),
    current: options.current,
    dueAt,
    acceptedSince: options.evidence.acceptedSince,
  });
  const unwatch = credentials.watch(lifecycle.credentialsChanged);
  return {
    ...lifecycle,
    close() {
      unwatch();
      lifecycle.close();
      credentials.close();
    },
  };
}

/** What can't be written now can still be read: the next start tries again. */
async function sealAnew(
  credentials: CredentialStore,
  stored: StoredCredentials,
  signals: Pick<Signals, "warned">,
): Promise<void> {
  try {
    await credentials.write?.(stored.credentials, stored.version);
  } catch (cause) {
    signals.warned(
      "The credentials could not be sealed with the first store key; the other one is still needed.",
      cause,
    );
  }
}

/** A file that is not there yet comes later; one that is there and can't be read is a mistake that only a person can mend. */
function unlessNotYet(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
  if (error.code !== "not-yet") throw new Failure("configuration", error.message, error);
}
