import type { Clock } from "../clock.ts";
import { createSealedFile } from "./sealed-file.ts";
import { openRecord, sealRecord } from "./sealed-record.ts";
import type { SecretSource } from "./secret-source.ts";
import type { TokenStore } from "./token-store.ts";

export interface FileStoreOptions {
  /** The record's file; its folder must be on a local disk. */
  readonly path: string;
  readonly keys: SecretSource;
  readonly clock: Clock;
}

/** The token's record in a sealed file of this host. */
export function createFileStore(options: FileStoreOptions): Required<TokenStore> {
  const where = `The record ${options.path}`;
  const file = createSealedFile({
    ...options,
    where,
    seal: sealRecord,
    open: (sealed, keys) => openRecord(sealed, keys, where),
  });
  return {
    kind: "file",
    canChange: true,
    async read() {
      const stored = await file.read();
      if (stored === undefined) return undefined;
      const { value: record, version, sealedWithFirstKey } = stored;
      return { record, version, sealedWithFirstKey };
    },
    write: file.write,
    watch: file.watch,
    close: file.close,
  };
}
