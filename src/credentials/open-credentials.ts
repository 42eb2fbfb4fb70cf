import type { Clock } from "../clock.ts";
import type { SecretSource } from "../store/secret-source.ts";
import type { CredentialStore } from "./credential-store.ts";

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
export interface CredentialSurroundings {
  readonly clock: Clock;
}

/**
 * Makes the adapter; reads and writes nothing yet. Only the one that is used is loaded. One in
 * a file can be written. Throws `Failure` `configuration` where this system can't have it.
 */
export async function openCredentials(
  options: FileCredentialOptions,
  surroundings: CredentialSurroundings,
): Promise<Required<CredentialStore>>;
export async function openCredentials(
  options: CredentialOptions,
  surroundings: CredentialSurroundings,
): Promise<CredentialStore>;
export async function openCredentials(
  options: CredentialOptions,
  { clock }: CredentialSurroundings,
): Promise<CredentialStore> {
  switch (options.kind) {
    case "env": {
      const { createEnvCredentials } = await import("./env.ts");
      return createEnvCredentials({ email: options.email, password: options.password, clock });
    }
    case "file": {
      const { createFileCredentials } = await import("./file.ts");
      return createFileCredentials({ path: options.path, keys: options.keys, clock });
    }
  }
}
