import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

import type { StoreKeys } from "./store-keys.ts";
import { StoreError } from "./token-store.ts";

/** What a sealed line is of. */
export type SealedKind = "token" | "credentials";

/** What is opened, for messages. */
export interface SealedSubject {
  readonly kind: SealedKind;
  /** Names it at the start of a message: `The record /path`. */
  readonly where: string;
}

/**
 * The sealed form, one line of printable ASCII that may be looked at, copied and backed up:
 *
 *     presto-sidecar/1 schema/1 KEYID BASE64URL(nonce ‖ ciphertext ‖ tag) LF
 *
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and the full 128-bit tag;
 * everything before the last space is the additional data, so no part of the line can be
 * changed. A key seals far fewer than the 2^32 records that random nonces allow.
 *
 * The word before the schema's number says what was sealed, and, being additional data, lets
 * nothing be opened as something else, though it be sealed with the same key. (The token's
 * word is `schema`: the first version knew of nothing else to seal.)
 */
const words: Readonly<Record<SealedKind, string>> = { token: "schema", credentials: "credentials" };
const sealedLine =
  /^(presto-sidecar\/1 (schema|credentials)\/([1-9]\d{0,5}) ([0-9a-f]{16})) ([A-Za-z0-9_-]+)\n$/;
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
export function seal(plaintext: Uint8Array, kind: SealedKind, schema: number, keys: StoreKeys): string {
  const [{ id, key }] = keys;
  const header = `presto-sidecar/1 ${words[kind]}/${schema} ${id}`;
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  encryption.setAAD(Buffer.from(header, "latin1"));
  const ciphertext = Buffer.concat([encryption.update(plaintext), encryption.final()]);
  const body = Buffer.concat([nonce, ciphertext, encryption.getAuthTag()]);
  return `${header} ${body.toString("base64url")}\n`;
}

/**
 * Opens a sealed line of that kind with whichever of the keys it names. Throws
 * `StoreError`: `damaged`, `wrong-key`, `newer-schema`.
 */
export function open(sealed: string, keys: StoreKeys, subject: SealedSubject): Opened {
  const [, header, word, schema, keyId, body] = sealedLine.exec(sealed) ?? [];
  if (header === undefined || schema === undefined || keyId === undefined || body === undefined) {
    if (laterFormat.test(sealed)) throw newerSchema(subject);
    throw damaged(subject, sealed === "" ? "it is empty" : "it is not a sealed record, or is cut short");
  }
  if (word !== words[subject.kind]) {
    throw damaged(
      subject,
      subject.kind === "token" ? "it holds credentials and no token" : "it holds a token and no credentials",
    );
  }
  const match = keys.find((candidate) => candidate.id === keyId);
  if (match === undefined) throw wrongKey(subject, keyId, keys);
  const bytes = Buffer.from(body, "base64url");
  // Several texts decode to the same bytes; only the one that `seal` makes is taken.
  if (bytes.toString("base64url") !== body || bytes.length < nonceBytes + tagBytes) {
    throw damaged(subject, "it is cut short");
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
    throw damaged(subject, "it was changed after it was sealed");
  }
  return { plaintext: decrypted, schema: Number(schema), sealedWithFirstKey: match === keys[0] };
}

/** A record that can't be taken for true. Nobody mends one: it is replaced, by a person. */
export function damaged({ kind, where }: SealedSubject, reason: string): StoreError {
  return new StoreError(
    "damaged",
    `${where} is damaged: ${reason}. It was left as it is. Restore it from a backup, or move it away and import the ${kind} again with: presto-sidecar ${kind} import`,
  );
}

/** Written by a later version of this program. */
export function newerSchema({ where }: SealedSubject): StoreError {
  return new StoreError(
    "newer-schema",
    `${where} was written by a later version of presto-sidecar than this one. Run that version, or a later one.`,
  );
}

function wrongKey({ where }: SealedSubject, keyId: string, keys: StoreKeys): StoreError {
  const given = keys.map((key) => key.id).join(", ");
  return new StoreError(
    "wrong-key",
    `${where} was sealed with the store key ${keyId}, which was not given (given: ${given}). Put that key into the list of store keys; only the first of them need be the new one.`,
  );
}
