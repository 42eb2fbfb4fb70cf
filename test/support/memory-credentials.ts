import { Secret } from "../../src/secret.ts";
import { type Credentials, type CredentialStore, StoreError } from "../../src/store/contract.ts";

/** Credentials in memory, with compare-and-set. */
export interface MemoryCredentials extends CredentialStore {
  /** A person changes them; undefined takes them away. */
  put(passwords: { readonly password: string; readonly pending?: string } | undefined): void;
  /** From now on they can't be read, or can again. */
  fail(failing: boolean): void;
  /** The passwords that stand there, in the clear. */
  passwords(): { readonly password: string; readonly pending: string | null } | undefined;
}

export function createMemoryCredentials(): MemoryCredentials {
  const watchers = new Set<() => void>();
  let stored: Credentials | undefined;
  let serial = 0;
  let failing = false;

  function replace(credentials: Credentials | undefined): string {
    serial += 1;
    stored = credentials;
    return String(serial);
  }

  return {
    kind: "file",
    async read() {
      if (failing) throw new StoreError("unreadable", "The credentials can't be read.");
      return stored === undefined ? undefined : { credentials: stored, version: String(serial) };
    },
    async write(credentials, expected) {
      if (failing) throw new StoreError("unreadable", "The credentials can't be written.");
      if (expected !== String(serial)) return { outcome: "refused" };
      return { outcome: "written", version: replace(credentials) };
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    close() {},
    put(passwords) {
      if (passwords === undefined) replace(undefined);
      else {
        const { password, pending } = passwords;
        replace({
          email: new Secret("somebody@example.org"),
          password: new Secret(password),
          pending: pending === undefined ? null : new Secret(pending),
        });
      }
      for (const watcher of watchers) watcher();
    },
    fail(now) {
      failing = now;
    },
    passwords() {
      if (stored === undefined) return undefined;
      return { password: stored.password.reveal(), pending: stored.pending?.reveal() ?? null };
    },
  };
}
