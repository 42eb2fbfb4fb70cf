import { RecordFormatError } from "../lib/json.ts";
import { damaged, newerSchema, open, seal } from "../store/file-crypto.ts";
import type { Unsealed } from "../store/sealed-file.ts";
import type { StoreKeys } from "../store/store-keys.ts";
import { StoreError } from "../store/token-store.ts";
import { decodeCredentials, encodeCredentials } from "./credential-codec.ts";
import type { Credentials } from "./credential-store.ts";

const schema = 1;

/** Credentials as the line of text that a file keeps. Throws `StoreError` `bad-credentials` for what could not be read back. */
export function sealCredentials(credentials: Credentials, keys: StoreKeys): string {
  const json = encodeCredentials(credentials);
  try {
    decodeCredentials(json);
  } catch (error) {
    if (!(error instanceof RecordFormatError)) throw error;
    throw new StoreError(
      "bad-credentials",
      `These credentials can't be right, and were not stored: ${error.message}.`,
    );
  }
  return seal(Buffer.from(json, "utf8"), "credentials", schema, keys);
}

/**
 * Opens what `sealCredentials` made. `where` names it at the start of a message. Throws
 * `StoreError`: `wrong-key`, `damaged`, `newer-schema`.
 */
export function openSealedCredentials(sealed: string, keys: StoreKeys, where: string): Unsealed<Credentials> {
  const subject = { kind: "credentials", where } as const;
  const opened = open(sealed, keys, subject);
  // The schema is known to be the writer's only now that the seal has held.
  if (opened.schema > schema) throw newerSchema(subject);
  try {
    return {
      value: decodeCredentials(opened.plaintext.toString("utf8")),
      sealedWithFirstKey: opened.sealedWithFirstKey,
    };
  } catch (error) {
    if (error instanceof RecordFormatError) throw damaged(subject, error.message);
    throw error;
  }
}
