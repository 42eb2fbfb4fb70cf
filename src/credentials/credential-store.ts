import type { Secret } from "../secret.ts";
import type { WriteResult } from "../store/token-store.ts";

/** The account, as a credential store keeps it. */
export interface Credentials {
  readonly email: Secret;
  /** The password that worked last. */
  readonly password: Secret;
  /** A new one whose reset has not been settled: it may be the account's by now. Never replaced or dropped unproven. */
  readonly pending: Secret | null;
}

export interface StoredCredentials {
  readonly credentials: Credentials;
  /** Opaque; compared for equality only. */
  readonly version: string;
  /** Only from stores that seal: false where another than the first key opened it. */
  readonly sealedWithFirstKey?: boolean;
}

/**
 * Where the account's e-mail and password live. `read` goes to the source itself each time,
 * answers undefined where nothing was put there yet, and throws a `StoreError` where it can't
 * be read. `write` is a compare-and-set as `TokenStore.write` is; a source that is only read
 * has none.
 */
export interface CredentialStore {
  readonly kind: "env" | "file";
  read(): Promise<StoredCredentials | undefined>;
  write?(credentials: Credentials, expected: string | undefined): Promise<WriteResult>;
  /** Calls back soon after a change; may call back without one. Returns what ends the watch. */
  watch(onChange: () => void): () => void;
  close(): void;
}
