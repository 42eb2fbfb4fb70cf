import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";

import type { Secret } from "../secret.ts";
import { type Holding, StoreError } from "./contract.ts";

/** A key that seals and opens records. A `KeyObject` prints no key bytes. */
export interface StoreKey {
  /** 16 hex digits that name the key in a sealed record and in messages. */
  readonly id: string;
  readonly key: KeyObject;
}

/** At least one. The first seals, all open. */
export type StoreKeys = readonly [StoreKey, ...StoreKey[]];

/** Base64 of exactly 32 bytes, with its padding. */
const keyText = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Reads `PRESTO_STORE_KEY`: base64 of 32 bytes, several separated by commas (spaces around
 * a comma are allowed). Throws `StoreError` `wrong-key`, which says which of them is
 * malformed and prints none.
 */
export function parseStoreKeys(secret: Secret): StoreKeys {
  const texts = secret
    .reveal()
    .split(",")
    .map((text) => text.trim());
  const [first, ...others] = texts.map((text, index) => parseStoreKey(text, index + 1, texts.length));
  if (first === undefined) throw malformed(1, 1);
  return [first, ...others];
}

function parseStoreKey(text: string, position: number, count: number): StoreKey {
  const bytes = Buffer.from(text, "base64");
  // Encoded again and compared: Node's decoder skips what it does not know.
  if (!keyText.test(text) || bytes.toString("base64") !== text) throw malformed(position, count);
  const key = createSecretKey(bytes);
  // A pseudorandom function of the key under a text that is used for nothing else: says which key it is and nothing about it.
  const id = createHmac("sha256", key).update("presto-sidecar/1 key id").digest("hex").slice(0, 16);
  return { id, key };
}

function malformed(position: number, count: number): StoreError {
  const which = count === 1 ? "The store key" : `Store key ${position} of ${count}`;
  return new StoreError(
    "wrong-key",
    `${which} is not the base64 form of 32 bytes (44 characters, the last of them "="). Make one with: presto-sidecar keygen`,
  );
}

/** What is opened, for messages. */
export interface Subject {
  readonly holds: Holding;
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
const words: Readonly<Record<Holding, string>> = { token: "schema", credentials: "credentials" };
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
export function seal(plaintext: Uint8Array, holds: Holding, schema: number, keys: StoreKeys): string {
  const [{ id, key }] = keys;
  const header = `presto-sidecar/1 ${words[holds]}/${schema} ${id}`;
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
export function open(sealed: string, keys: StoreKeys, subject: Subject): Opened {
  const [, header, word, schema, keyId, body] = sealedLine.exec(sealed) ?? [];
  if (header === undefined || schema === undefined || keyId === undefined || body === undefined) {
    if (laterFormat.test(sealed)) throw newerSchema(subject);
    throw damaged(subject, sealed === "" ? "it is empty" : "it is not a sealed record, or is cut short");
  }
  if (word !== words[subject.holds]) {
    throw damaged(
      subject,
      subject.holds === "token" ? "it holds credentials and no token" : "it holds a token and no credentials",
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
export function damaged({ holds, where }: Subject, reason: string): StoreError {
  return new StoreError(
    "damaged",
    `${where} is damaged: ${reason}. It was left as it is. Restore it from a backup, or move it away and import the ${holds} again with: presto-sidecar ${holds} import`,
  );
}

/** Written by a later version of this program. */
export function newerSchema({ where }: Subject): StoreError {
  return new StoreError(
    "newer-schema",
    `${where} was written by a later version of presto-sidecar than this one. Run that version, or a later one.`,
  );
}

/** Is this the beginning of a sealed line, whoever wrote it? */
export function looksSealed(text: string): boolean {
  return text.startsWith("presto-sidecar/");
}

/** A sealed line, and no key at all. */
export function keyless({ where }: Subject): StoreError {
  return new StoreError(
    "wrong-key",
    `${where} is sealed, and no store key was given. Give the one that it was sealed with in PRESTO_STORE_KEY, or in the file of PRESTO_STORE_KEY_FILE.`,
  );
}

function wrongKey({ where }: Subject, keyId: string, keys: StoreKeys): StoreError {
  const given = keys.map((key) => key.id).join(", ");
  return new StoreError(
    "wrong-key",
    `${where} was sealed with the store key ${keyId}, which was not given (given: ${given}). Put that key into the list of store keys; only the first of them need be the new one.`,
  );
}
