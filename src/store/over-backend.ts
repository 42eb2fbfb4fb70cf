import type { Clock, Timer } from "../clock.ts";
import { createFileWatches, type Watches } from "../files/watch.ts";
import { type Codec, type Decoded, decodeObject, encodeObject, type Reading } from "./codec.ts";
import {
  type Backend,
  type ObjectInfo,
  type StoredRecord,
  StoreError,
  type TokenStore,
  type WritableCredentialStore,
  type WriteResult,
} from "./contract.ts";
import { credentialCodec } from "./credentials.ts";
import { recordCodec } from "./record.ts";
import { parseStoreKeys, type StoreKeys } from "./seal.ts";
import { readSecret, type SecretSource } from "./secret-source.ts";

export interface OverBackendOptions {
  /** What the object is sealed with, read afresh each time so that a rotation needs no restart; undefined: it stands there in the clear. */
  readonly keys: SecretSource | undefined;
  readonly clock: Clock;
}

/** A place that can do all that there is. */
export type FullBackend = Backend & Required<Pick<Backend, "write" | "watch" | "lock">>;

/** What is over it. */
export type FullTokenStore = TokenStore & Required<Pick<TokenStore, "write" | "watch" | "lock">>;

/** The token's record in a place that keeps bytes. */
export function createTokenStore(backend: FullBackend, options: OverBackendOptions): FullTokenStore;
export function createTokenStore(backend: Backend, options: OverBackendOptions): TokenStore;
export function createTokenStore(backend: Backend, options: OverBackendOptions): TokenStore {
  const object = createObject(backend, recordCodec, options);
  const keys = keyWatches(options);
  const { isWatching } = backend;
  let readAt: Date | null = null;
  let failure: string | null = null;

  async function read(reading: Reading): Promise<StoredRecord | undefined> {
    try {
      const stored = await object.read(reading);
      [readAt, failure] = [new Date(options.clock.now()), null];
      if (stored === undefined) return undefined;
      const { value: record, ...rest } = stored;
      return { record, ...rest };
    } catch (error) {
      failure = error instanceof StoreError ? error.message : "It failed in a way that was not foreseen.";
      throw error;
    }
  }

  return {
    kind: backend.kind,
    canChange: true,
    read: () => read("own"),
    readToServe: () => read("later-too"),
    report: () => ({
      readAt,
      failure,
      watch: isWatching === undefined ? null : isWatching() ? "live" : "down",
      absence: backend.absence?.() ?? null,
    }),
    ...(backend.write === undefined ? {} : { write: object.write }),
    ...(backend.watch === undefined ? {} : { watch: watchAll([{ watch: backend.watch }, keys]) }),
    ...(backend.pollMs === undefined ? {} : { pollMs: backend.pollMs }),
    ...(backend.mayGoBack === undefined ? {} : { mayGoBack: backend.mayGoBack }),
    ...(backend.lock === undefined ? {} : { lock: backend.lock }),
    ...(backend.logOut === undefined ? {} : { logOut: backend.logOut }),
    close() {
      keys.close();
      backend.close();
    },
  };
}

/** A place that can be written. */
export type WritableBackend = Backend & Required<Pick<Backend, "write">>;

/**
 * The account's e-mail and password in a place that keeps bytes. Of a change they tell in any
 * case, for nobody else looks for one: a place without a watch is read now and then.
 */
export function createCredentialStore(
  backend: WritableBackend,
  options: OverBackendOptions,
): WritableCredentialStore {
  const object = createObject(backend, credentialCodec, options);
  const keys = keyWatches(options);
  const polls = createPolls(backend, options.clock);
  return {
    kind: backend.kind,
    async read() {
      const stored = await object.read("own");
      if (stored === undefined) return undefined;
      const { value: credentials, ...rest } = stored;
      return { credentials, ...rest };
    },
    write: object.write,
    watch: watchAll([backend.watch === undefined ? polls : { watch: backend.watch }, keys]),
    ...(backend.logOut === undefined ? {} : { logOut: backend.logOut }),
    close() {
      keys.close();
      polls.close();
      backend.close();
    },
  };
}

interface StoredObject<T> {
  read(reading: Reading): Promise<(Decoded<T> & ObjectInfo & { readonly version: string }) | undefined>;
  write(value: T, expected: string | undefined): Promise<WriteResult>;
}

/** Codec and seal over a place. */
function createObject<T>(
  backend: Backend,
  codec: Codec<T>,
  { keys: source }: OverBackendOptions,
): StoredObject<T> {
  /** What was read last, where it stood there in the clear: polls mostly find the same bytes again. */
  let last: { readonly bytes: Uint8Array; readonly decoded: Decoded<T> } | undefined;

  async function readKeys(): Promise<StoreKeys | undefined> {
    return source && parseStoreKeys(await readSecret(source, "store key"));
  }

  function decode(bytes: Uint8Array, keys: StoreKeys | undefined, reading: Reading): Decoded<T> {
    if (keys === undefined && last !== undefined && Buffer.compare(last.bytes, bytes) === 0)
      return last.decoded;
    const decoded = decodeObject(codec, bytes, keys, backend.where, reading);
    // One of a later version is something else to whoever writes.
    last = keys === undefined && decoded.isLater !== true ? { bytes, decoded } : undefined;
    return decoded;
  }

  async function readWith(
    keys: StoreKeys | undefined,
    reading: Reading,
  ): ReturnType<StoredObject<T>["read"]> {
    const stored = await backend.read();
    if (stored === undefined) return undefined;
    const { bytes, ...rest } = stored;
    return { ...decode(bytes, keys, reading), ...rest };
  }

  return {
    // The keys first: without them nothing is said of what stands there.
    read: async (reading) => readWith(await readKeys(), reading),
    async write(value, expected) {
      const keys = await readKeys();
      // Opened, not just compared: what this process can't read it does not overwrite.
      const current = await readWith(keys, "own");
      if (current?.version !== expected) return { outcome: "refused" };
      const bytes = encodeObject(codec, value, keys);
      if (backend.write === undefined) throw new Error("this place can't be written");
      return backend.write(bytes, expected);
    },
  };
}

function keyWatches({ keys, clock }: OverBackendOptions): Watches {
  return createFileWatches(keys?.kind === "file" ? [keys.path] : [], clock);
}

function watchAll(sources: readonly Pick<Watches, "watch">[]): Watches["watch"] {
  return (onChange) => {
    const ends = sources.map(({ watch }) => watch(onChange));
    return () => {
      for (const end of ends) end();
    };
  };
}

/** Milliseconds between two looks at a place that tells of no change, unless it has a mind of its own. */
const pollMs = 5_000;

/** Looks for another version now and then, the first time at once, and calls back then too. A look that fails has seen nothing. */
function createPolls(backend: Pick<Backend, "read" | "pollMs">, clock: Clock): Watches {
  const endings = new Set<() => void>();
  return {
    watch(onChange) {
      let timer: Timer | undefined;
      let ended = false;
      let seen: { readonly version: string | undefined } | undefined;
      const look = async (): Promise<void> => {
        const found = await backend.read().then(
          (stored) => ({ version: stored?.version }),
          () => seen,
        );
        if (ended) return;
        const differs = found !== undefined && (seen === undefined || found.version !== seen.version);
        seen = found;
        timer = clock.after(backend.pollMs?.() ?? pollMs, () => void look());
        if (differs) onChange();
      };
      void look();
      const end = (): void => {
        ended = true;
        timer?.cancel();
        endings.delete(end);
      };
      endings.add(end);
      return end;
    },
    close() {
      for (const end of endings) end();
    },
  };
}
