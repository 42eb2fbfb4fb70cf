import {
  type Credentials,
  type CredentialStore,
  type StoredCredentials,
  StoreError,
} from "../../src/store/contract.ts";
import type { Operate } from "./operate.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";

/** The one credential store of a world. */
export interface SimCredentials {
  forProcess(process: SimProcess): CredentialStore;
  current(): Credentials;
}

export interface SimCredentialsOptions {
  readonly operate: Operate;
  readonly story: Story;
  readonly first: Credentials;
  readonly onWrite: () => void;
}

export function createSimCredentials({
  operate,
  story,
  first,
  onWrite,
}: SimCredentialsOptions): SimCredentials {
  let stored: StoredCredentials = { credentials: first, version: "1" };
  const watchers = new Map<() => void, SimProcess>();
  const lost = (): Error => new StoreError("unreadable", "The simulated credential store did not answer.");

  return {
    current: () => stored.credentials,
    forProcess: (process) => ({
      kind: "file",
      read: () => operate({ process, kind: "read the credentials", effect: () => stored, lost }),
      write: (credentials, expected) =>
        operate({
          process,
          kind: "write the credentials",
          effect: () => {
            if (expected !== stored.version) return { outcome: "refused" as const };
            const version = String(Number(stored.version) + 1);
            stored = { credentials, version };
            const pending = credentials.pending === null ? "none" : "one";
            story.tell(() => `${process.name} wrote the credentials, ${pending} pending`);
            onWrite();
            for (const [notice, watcher] of watchers) watcher.deliver(5, notice);
            return { outcome: "written" as const, version };
          },
          lost,
        }),
      watch(onChange) {
        watchers.set(onChange, process);
        process.onDeath(() => watchers.delete(onChange));
        return () => void watchers.delete(onChange);
      },
      close() {},
    }),
  };
}
