import { RecordFormatError } from "../lib/json.ts";
import { isTokenText } from "../token/token.ts";
import { damaged, newerSchema, open, seal } from "./file-crypto.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import { maxRecordBytes } from "./record-file.ts";
import type { Unsealed } from "./sealed-file.ts";
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
  const sealed = seal(Buffer.from(json, "utf8"), "token", schema, keys);
  if (sealed.length > maxRecordBytes) {
    throw new StoreError(
      "bad-token",
      `The record would be larger than ${maxRecordBytes} bytes, so it was not written.`,
    );
  }
  return sealed;
}

/**
 * Opens what `sealRecord` made. `where` names it at the start of a message. Throws
 * `StoreError`: `wrong-key`, `damaged`, `newer-schema`.
 */
export function openRecord(sealed: string, keys: StoreKeys, where: string): Unsealed<TokenRecord> {
  const subject = { kind: "token", where } as const;
  const opened = open(sealed, keys, subject);
  // The schema is known to be the writer's only now that the seal has held.
  if (opened.schema > schema) throw newerSchema(subject);
  try {
    return {
      value: decodeRecord(opened.plaintext.toString("utf8")),
      sealedWithFirstKey: opened.sealedWithFirstKey,
    };
  } catch (error) {
    if (error instanceof RecordFormatError) throw damaged(subject, error.message);
    throw error;
  }
}
