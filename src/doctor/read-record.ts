import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import type { StoredRecord } from "../store/contract.ts";
import { openStore, type StoreOptions } from "../store/open.ts";

/** What the store holds, read once. */
export interface ReadStore {
  readonly stored: StoredRecord | undefined;
  /** The system's code where this user may not write into the folder; undefined where it may, and for a store without one. */
  readonly folderFault: string | undefined;
}

/** Reads the store as `start` does, and writes nothing. @throws StoreError or Failure as the store does */
export async function readRecord(options: StoreOptions, clock: Clock): Promise<ReadStore> {
  const store = await openStore(options, { clock });
  try {
    const stored = await store.read();
    return {
      stored,
      folderFault: options.kind === "file" ? await faultOfFolder(dirname(options.path)) : undefined,
    };
  } finally {
    store.close();
  }
}

async function faultOfFolder(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return systemCode(error) ?? "unknown cause";
  }
}
