import { createHash } from "node:crypto";

import type { Clock } from "../clock.ts";
import { Failure } from "../errors.ts";
import { createWatchedFile } from "../files/watched-file.ts";
import { removeLeftovers, writeDurably } from "../files/write-durably.ts";
import { createSingleHostLock } from "../lock/single-host.ts";
import { writeLockPath } from "./file-paths.ts";
import { readRecordFile, refusedBySystem } from "./record-file.ts";
import { readSecret } from "./secret-source.ts";
import type { SecretSource } from "./secret-source.ts";
import { parseStoreKeys } from "./store-keys.ts";
import type { StoreKeys } from "./store-keys.ts";
import type { WriteResult } from "./token-store.ts";

export interface SealedFileOptions<T> {
  /** The file. Beside it stand `PATH.write-lock` and, while that is held, `PATH.write-lock-holder`. */
  readonly path: string;
  /** Names it at the start of a message: `The record /path`. */
  readonly where: string;
  readonly keys: SecretSource;
  /** The line that is kept, `maxRecordBytes` at most. Throws what could not be read back. */
  readonly seal: (value: T, keys: StoreKeys) => string;
  /** Throws a `StoreError` for a line that `seal` did not make. */
  readonly open: (sealed: string, keys: StoreKeys) => Unsealed<T>;
  readonly clock: Clock;
}

/** What a line held. */
export interface Unsealed<T> {
  readonly value: T;
  /** False where another than the first key opened it: whoever may write should write it anew. */
  readonly sealedWithFirstKey: boolean;
}

export interface StoredValue<T> extends Unsealed<T> {
  /** A hash of the sealed line, which differs for each sealing. */
  readonly version: string;
}

/** One value in a sealed file, with the promises of `TokenStore` for it. */
export interface SealedFile<T> {
  read(): Promise<StoredValue<T> | undefined>;
  write(value: T, expected: string | undefined): Promise<WriteResult>;
  /** Calls back after a change of the file or of the keys' file. Returns what ends the watch. */
  watch(onChange: () => void): () => void;
  close(): void;
}

/** Milliseconds that a write waits for another process's. */
const lockWaitMs = 5_000;

/**
 * A sealed file of this host, mode 0600. Keys are read afresh each time, so that a rotation
 * needs no restart. `rename` replaces the file whole but compares nothing, so a write
 * compares under a lock between processes; readers need none.
 * @throws Failure `configuration` on a system without owners and modes, on which its safety rests
 */
export function createSealedFile<T>(options: SealedFileOptions<T>): SealedFile<T> {
  const { path, where, keys: source, clock } = options;
  if (process.geteuid === undefined) {
    throw new Failure(
      "configuration",
      "A file: store needs a POSIX system. Use another store, or run in a container.",
    );
  }
  const lock = createSingleHostLock({ path: writeLockPath(path), what: `the file ${path}`, clock });
  const endings = new Set<() => void>();

  async function readKeys(): Promise<StoreKeys> {
    return parseStoreKeys(await readSecret(source, "store key"));
  }

  async function readWith(keys: StoreKeys): Promise<StoredValue<T> | undefined> {
    const sealed = await readRecordFile(path, where);
    if (sealed === undefined) return undefined;
    return { ...options.open(sealed, keys), version: versionOf(sealed) };
  }

  async function replace(value: T, expected: string | undefined): Promise<WriteResult> {
    const keys = await readKeys();
    // Opened, not just compared: what this process can't read it does not overwrite.
    const current = await readWith(keys);
    if (current?.version !== expected) return { outcome: "refused" };
    const sealed = options.seal(value, keys);
    try {
      await removeLeftovers(path);
      await writeDurably(path, sealed);
    } catch (error) {
      throw refusedBySystem(path, where, "written", error);
    }
    return { outcome: "written", version: versionOf(sealed) };
  }

  return {
    read: async () => readWith(await readKeys()),
    async write(value, expected) {
      const held = await lock.acquire({ waitMs: lockWaitMs });
      try {
        return await replace(value, expected);
      } finally {
        await held.release();
      }
    },
    watch(onChange) {
      const paths = source.kind === "file" ? [path, source.path] : [path];
      const watches = paths.map((watched) => createWatchedFile({ path: watched, clock, onChange }));
      const end = (): void => {
        for (const watch of watches) watch.close();
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

function versionOf(sealed: string): string {
  return createHash("sha256").update(sealed, "latin1").digest("base64url");
}
