import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import type { CredentialStore, RenewalLock, TokenStore } from "./contract.ts";
import { renewalLockPath } from "./file/file.ts";
import { createSingleHostLock } from "./file/lock.ts";
import type { SecretSource } from "./secret-source.ts";

/** Which store, and what it needs. */
export type StoreOptions =
  | { readonly kind: "env"; readonly token: SecretSource }
  | { readonly kind: "file"; readonly path: string; readonly keys: SecretSource };

/** What every store is given by the program. */
export interface StoreDeps {
  readonly clock: Clock;
}

/**
 * Makes the store's adapter; reads and writes nothing yet. Only the adapter that is used
 * is loaded. Throws `CommandError` `configuration` where this system can't have that store.
 */
export async function openStore(options: StoreOptions, { clock }: StoreDeps): Promise<TokenStore> {
  switch (options.kind) {
    case "env": {
      const { createEnvStore } = await import("./env.ts");
      return createEnvStore({ token: options.token, clock });
    }
    case "file": {
      const { createFileStore } = await import("./file/file.ts");
      return createFileStore({ path: options.path, keys: options.keys, clock });
    }
  }
}

/** Which credential source, and what it needs. */
export type CredentialOptions =
  | { readonly kind: "env"; readonly email: SecretSource; readonly password: SecretSource }
  | FileCredentialOptions;

/** The form that can be written. */
export interface FileCredentialOptions {
  readonly kind: "file";
  readonly path: string;
  readonly keys: SecretSource;
}

/** What every source is given by the program. */
export interface CredentialDeps {
  readonly clock: Clock;
}

/**
 * Makes the adapter; reads and writes nothing yet. Only the one that is used is loaded. One in
 * a file can be written. Throws `CommandError` `configuration` where this system can't have it.
 */
export async function openCredentials(
  options: FileCredentialOptions,
  surroundings: CredentialDeps,
): Promise<Required<CredentialStore>>;
export async function openCredentials(
  options: CredentialOptions,
  surroundings: CredentialDeps,
): Promise<CredentialStore>;
export async function openCredentials(
  options: CredentialOptions,
  { clock }: CredentialDeps,
): Promise<CredentialStore> {
  switch (options.kind) {
    case "env": {
      const { createEnvCredentials } = await import("./env.ts");
      return createEnvCredentials({ email: options.email, password: options.password, clock });
    }
    case "file": {
      const { createFileCredentials } = await import("./file/file.ts");
      return createFileCredentials({ path: options.path, keys: options.keys, clock });
    }
  }
}

/** What is locked: a store, as its options name it. */
export type LockedPlace = { readonly kind: "env" } | { readonly kind: "file"; readonly path: string };

/**
 * The lock of a store, under which its token is renewed, its record is imported, its account's
 * password is changed. Takes nothing yet.
 * @throws CommandError `refused` for a store that can only be read
 */
export function openRenewalLock(place: LockedPlace, { clock }: { readonly clock: Clock }): RenewalLock {
  switch (place.kind) {
    case "env":
      throw new CommandError(
        "refused",
        "PRESTO_STORE is env:, which can only be read: its token is looked after by somebody else. Name a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.",
      );
    case "file":
      return createSingleHostLock({
        path: renewalLockPath(place.path),
        what: `the record ${place.path}`,
        clock,
      });
  }
}
