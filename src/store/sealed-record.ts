import { isTokenText } from "../token/token.ts";
import { damaged, newerSchema, open, seal } from "./file-crypto.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import { RecordFormatError } from "./record-fields.ts";
import type { StoreKeys } from "./store-keys.ts";
import type { TokenRecord } from "./token-record.ts";
import { StoreError } from "./token-store.ts";

const schema = 1;

/**
 * A record as the line of text that a store keeps. What could not be read back is not
 * sealed: throws `StoreError` `bad-token`, or a `RecordFormatError` for a record that
 * breaks its own type.
 */
export function sealRecord(record: TokenRecord, keys: StoreKeys): string {
  if (record.token !== null && !isTokenText(record.token.reveal())) {
    throw new StoreError(
      "bad-token",
      "The token holds something other than visible ASCII characters, so it can't be sent and was not stored.",
    );
  }
  const json = encodeRecord(record);
  decodeRecord(json);
  return seal(Buffer.from(json, "utf8"), schema, keys);
}

/**
 * Opens what `sealRecord` made. `where` names it at the start of a message. Throws
 * `StoreError`: `wrong-key`, `damaged`, `newer-schema`.
 */
export function openRecord(
  sealed: string,
  keys: StoreKeys,
  where: string,
): { readonly record: TokenRecord; readonly sealedWithFirstKey: boolean } {
  const opened = open(sealed, keys, where);
  // The schema is known to be the writer's only now that the seal has held.
  if (opened.schema > schema) throw newerSchema(where);
  try {
    return {
      record: decodeRecord(opened.plaintext.toString("utf8")),
      sealedWithFirstKey: opened.sealedWithFirstKey,
    };
  } catch (error) {
    if (error instanceof RecordFormatError) throw damaged(where, error.message);
    throw error;
  }
}
