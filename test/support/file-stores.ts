import type { Clock } from "../../src/clock.ts";
import type { RenewalLock, WritableCredentialStore } from "../../src/store/contract.ts";
import { createFileBackend } from "../../src/store/file/file.ts";
import {
  createCredentialStore,
  createTokenStore,
  type FullTokenStore,
} from "../../src/store/over-backend.ts";
import type { SecretSource } from "../../src/store/secret-source.ts";

export interface FileStoreOptions {
  readonly path: string;
  readonly keys: SecretSource;
  readonly clock: Clock;
}

// What PRESTO_STORE=file:PATH and PRESTO_CREDENTIALS=file:PATH open, without the wait for a module.

export function createFileStore({ path, keys, clock }: FileStoreOptions): FullTokenStore {
  return createTokenStore(createFileBackend({ path, holds: "token", clock }), { keys, clock });
}

export function createFileCredentials({ path, keys, clock }: FileStoreOptions): WritableCredentialStore {
  return createCredentialStore(createFileBackend({ path, holds: "credentials", clock }), { keys, clock });
}

/** The lock of a file's record, as a renewal takes it. */
export function openRenewalLock(
  { path }: { readonly kind: "file"; readonly path: string },
  { clock }: { readonly clock: Clock },
): RenewalLock {
  return createFileBackend({ path, holds: "token", clock }).lock();
}
