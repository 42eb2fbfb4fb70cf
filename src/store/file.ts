import { createHash } from "node:crypto";

import type { Clock } from "../clock.ts";
import { createWatchedFile } from "../files/watched-file.ts";
import { removeLeftovers, writeDurably } from "../files/write-durably.ts";
import { createSingleHostLock } from "../lock/single-host.ts";
import { maxRecordBytes, readRecordFile, refusedBySystem } from "./record-file.ts";
import { openRecord, sealRecord } from "./sealed-record.ts";
import { readSecret } from "./secret-source.ts";
import type { SecretSource } from "./secret-source.ts";
import { parseStoreKeys } from "./store-keys.ts";
import type { StoreKeys } from "./store-keys.ts";
import type { TokenRecord } from "./token-record.ts";
import { StoreError } from "./token-store.ts";
import type { StoredRecord, TokenStore, WriteResult } from "./token-store.ts";

export interface FileStoreOptions {
  /** The record's file. Beside it stand `PATH.lock` and, while that is held, `PATH.lock-holder`. */
  readonly path: string;
  readonly keys: SecretSource;
  readonly clock: Clock;
}

/** Milliseconds that a write waits for another process's. */
const lockWaitMs = 5_000;

/**
 * The record in a sealed file of this host, mode 0600. Keys are read afresh each time, so
 * that a rotation needs no restart. `rename` replaces the record whole but compares
 * nothing, so a write compares under a lock between processes; readers need none.
 * A version is a hash of the sealed line, which differs for each sealing.
 */
export function createFileStore(options: FileStoreOptions): Required<TokenStore> {
  const { path, keys: source, clock } = options;
  const where = `The record ${path}`;
  const lock = createSingleHostLock({ path: `${path}.lock`, what: `the record ${path}`, clock });
  const endings = new Set<() => void>();

  async function readKeys(): Promise<StoreKeys> {
    return parseStoreKeys(await readSecret(source, "store key"));
  }

  async function readWith(keys: StoreKeys): Promise<StoredRecord | undefined> {
    const sealed = await readRecordFile(path);
    if (sealed === undefined) return undefined;
    return { ...openRecord(sealed, keys, where), version: versionOf(sealed) };
  }

  async function replace(record: TokenRecord, expected: string | undefined): Promise<WriteResult> {
    const keys = await readKeys();
    // Opened, not just compared: what this process can't read it does not overwrite.
    const current = await readWith(keys);
    if (current?.version !== expected) return { outcome: "refused" };
    const sealed = sealRecord(record, keys);
    if (sealed.length > maxRecordBytes) {
      throw new StoreError(
        "bad-token",
        `The record would be larger than ${maxRecordBytes} bytes, so it was not written.`,
      );
    }
    try {
      await removeLeftovers(path);
      await writeDurably(path, sealed);
    } catch (error) {
      throw refusedBySystem(path, "written", error);
    }
    return { outcome: "written", version: versionOf(sealed) };
  }

  return {
    kind: "file",
    canChange: true,
    read: async () => readWith(await readKeys()),
    async write(record, expected) {
      const release = await lock.acquire({ waitMs: lockWaitMs });
      try {
        return await replace(record, expected);
      } finally {
        release();
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
