import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";

import type { Secret } from "../secret.ts";
import { StoreError } from "./token-store.ts";

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
