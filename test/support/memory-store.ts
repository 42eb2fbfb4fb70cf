import { Secret } from "../../src/secret.ts";
import type { Intent, StoredRecord, TokenRecord, TokenStore } from "../../src/store/contract.ts";

/** A store in memory that a test writes to by hand. */
export interface MemoryStore extends TokenStore {
  put(record: Partial<Omit<TokenRecord, "token">> & { readonly token?: string | null }): void;
  remove(): void;
  /** Makes reads fail from now on, or work again. */
  fail(error: Error | undefined): void;
  /** Tells the watchers. */
  notify(): void;
  readonly reads: number;
}

export function createMemoryStore(options: { readonly canChange?: boolean } = {}): MemoryStore {
  let stored: StoredRecord | undefined;
  let failure: Error | undefined;
  let serial = 0;
  let reads = 0;
  const watchers = new Set<() => void>();
  return {
    kind: "file",
    canChange: options.canChange ?? true,
    async read() {
      reads += 1;
      if (failure !== undefined) throw failure;
      return stored;
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    close() {},
    put({ token, ...rest }) {
      serial += 1;
      const record: TokenRecord = {
        ...empty,
        ...stored?.record,
        ...rest,
        token:
          token === undefined ? (stored?.record.token ?? null) : token === null ? null : new Secret(token),
      };
      stored = { record, version: String(serial) };
    },
    remove() {
      stored = undefined;
    },
    fail(error) {
      failure = error;
    },
    notify() {
      for (const watcher of watchers) watcher();
    },
    get reads() {
      return reads;
    },
  };
}

const empty: TokenRecord = {
  schema: 1,
  generation: 1,
  token: null,
  name: null,
  issuedAt: null,
  expiresAt: null,
  intent: null,
  unexplainedDeaths: [],
  stopped: null,
  writtenBy: null,
};

/** An intent as another process would write it. */
export function intent(id: string): Intent {
  return { id, holder: "another", soleCall: true, reason: "scheduled", at: new Date(0) };
}
