import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

import type { StoreKeys } from "./store-keys.ts";
import { StoreError } from "./token-store.ts";

/**
 * The sealed form, one line of printable ASCII that may be looked at, copied and backed up:
 *
 *     presto-sidecar/1 schema/1 KEYID BASE64URL(nonce ‖ ciphertext ‖ tag) LF
 *
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and the full 128-bit tag;
 * everything before the last space is the additional data, so no part of the line can be
 * changed. A key seals far fewer than the 2^32 records that random nonces allow.
 */
const sealedLine = /^(presto-sidecar\/1 schema\/([1-9]\d{0,5}) ([0-9a-f]{16})) ([A-Za-z0-9_-]+)\n$/;
/** What a later version of this program may write in another form. */
const laterFormat = /^presto-sidecar\/(?:[2-9]|[1-9]\d{1,5}) /;

const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** What an opened record gives out: its bytes are authentic. */
export interface Opened {
  readonly plaintext: Buffer;
  readonly schema: number;
  /** False where one of the other keys opened it: whoever may write should seal it anew. */
  readonly sealedWithFirstKey: boolean;
}

/** Seals with the first key and a new nonce: the same plaintext never gives the same line. */
export function seal(plaintext: Uint8Array, schema: number, keys: StoreKeys): string {
  const [{ id, key }] = keys;
  const header = `presto-sidecar/1 schema/${schema} ${id}`;
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  encryption.setAAD(Buffer.from(header, "latin1"));
  const ciphertext = Buffer.concat([encryption.update(plaintext), encryption.final()]);
  const body = Buffer.concat([nonce, ciphertext, encryption.getAuthTag()]);
  return `${header} ${body.toString("base64url")}\n`;
}

/**
 * Opens a sealed line with whichever of the keys it names. `where` says in messages what
 * was opened (`the record /path`). Throws `StoreError`: `damaged`, `wrong-key`, `newer-schema`.
 */
export function open(sealed: string, keys: StoreKeys, where: string): Opened {
  const [, header, schema, keyId, body] = sealedLine.exec(sealed) ?? [];
  if (header === undefined || schema === undefined || keyId === undefined || body === undefined) {
    if (laterFormat.test(sealed)) throw newerSchema(where);
    throw damaged(where, sealed === "" ? "it is empty" : "it is not a sealed record, or is cut short");
  }
  const match = keys.find((candidate) => candidate.id === keyId);
  if (match === undefined) throw wrongKey(where, keyId, keys);
  const bytes = Buffer.from(body, "base64url");
  // Several texts decode to the same bytes; only the one that `seal` makes is taken.
  if (bytes.toString("base64url") !== body || bytes.length < nonceBytes + tagBytes) {
    throw damaged(where, "it is cut short");
  }
  const decryption = createDecipheriv(cipher, match.key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decryption.setAAD(Buffer.from(header, "latin1"));
  decryption.setAuthTag(bytes.subarray(-tagBytes));
  const decrypted = decryption.update(bytes.subarray(nonceBytes, -tagBytes));
  try {
    decryption.final();
  } catch {
    throw damaged(where, "it was changed after it was sealed");
  }
  return { plaintext: decrypted, schema: Number(schema), sealedWithFirstKey: match === keys[0] };
}

/** A record that can't be taken for true. Nobody mends one: it is replaced, by a person. */
export function damaged(where: string, reason: string): StoreError {
  return new StoreError(
    "damaged",
    `${where} is damaged: ${reason}. It was left as it is. Restore it from a backup, or move it away and import the token again with: presto-sidecar token import`,
  );
}

/** Written by a later version of this program. */
export function newerSchema(where: string): StoreError {
  return new StoreError(
    "newer-schema",
    `${where} was written by a later version of presto-sidecar than this one. Run that version, or a later one.`,
  );
}

function wrongKey(where: string, keyId: string, keys: StoreKeys): StoreError {
  const given = keys.map((key) => key.id).join(", ");
  return new StoreError(
    "wrong-key",
    `${where} was sealed with the store key ${keyId}, which was not given (given: ${given}). Put that key into the list of store keys; only the first of them need be the new one.`,
  );
}
