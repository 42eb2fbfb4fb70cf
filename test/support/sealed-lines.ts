import { decodeObject, type Decoded, encodeObject } from "../../src/store/codec.ts";
import type { Credentials, TokenRecord } from "../../src/store/contract.ts";
import { credentialCodec } from "../../src/store/credentials.ts";
import { recordCodec } from "../../src/store/record.ts";
import type { StoreKeys } from "../../src/store/seal.ts";

// An object as its place keeps it, as text: a line of ASCII.

export function sealRecord(record: TokenRecord, keys: StoreKeys): string {
  return encodeObject(recordCodec, record, keys).toString("latin1");
}

export function openRecord(sealed: string, keys: StoreKeys, where: string): Decoded<TokenRecord> {
  return decodeObject(recordCodec, Buffer.from(sealed, "latin1"), keys, where);
}

export function sealCredentials(credentials: Credentials, keys: StoreKeys): string {
  return encodeObject(credentialCodec, credentials, keys).toString("latin1");
}

export function openSealedCredentials(sealed: string, keys: StoreKeys, where: string): Decoded<Credentials> {
  return decodeObject(credentialCodec, Buffer.from(sealed, "latin1"), keys, where);
}
