import { parseJson, RecordFormatError } from "../lib/json.ts";
import { type Holding, maxObjectBytes, StoreError } from "./contract.ts";
import {
  damaged,
  keyless,
  looksSealed,
  newerSchema,
  open,
  seal,
  type StoreKeys,
  type Subject,
} from "./seal.ts";

/** How one of the two objects is written as JSON. */
export interface Codec<T> {
  readonly holds: Holding;
  /** The newest that this version reads, and the one that it writes. */
  readonly schema: number;
  /** The code of what can't be stored. */
  readonly refusal: "bad-token" | "bad-credentials";
  /** @throws StoreError of the code `refusal` for what `decode` would not take back */
  encode(value: T): string;
  /** @throws RecordFormatError, which shows nothing of it */
  decode(json: unknown): T;
}

/** What an object's bytes held. */
export interface Decoded<T> {
  readonly value: T;
  /** Only of a sealed one: false where another than the first key opened it. */
  readonly sealedWithFirstKey?: boolean;
}

/**
 * The bytes that a place keeps: a sealed line where there are keys, or else JSON in the clear.
 * What could not be read back is not made.
 * @throws StoreError of the codec's code `refusal`
 */
export function encodeObject<T>(codec: Codec<T>, value: T, keys: StoreKeys | undefined): Buffer {
  const json = Buffer.from(codec.encode(value), "utf8");
  const bytes =
    keys === undefined ? json : Buffer.from(seal(json, codec.holds, codec.schema, keys), "latin1");
  if (bytes.length > maxObjectBytes) {
    throw new StoreError(
      codec.refusal,
      `The ${codec.holds === "token" ? "record" : "credentials"} would be larger than ${maxObjectBytes} bytes, so it was not written.`,
    );
  }
  return bytes;
}

/**
 * What `encodeObject` made the bytes of. With keys, only what one of them has sealed is taken:
 * whoever can write there, and has no key, can put nothing in its place.
 * @param where names it at the start of a message
 * @throws StoreError `wrong-key`, `damaged`, `newer-schema`
 */
export function decodeObject<T>(
  codec: Codec<T>,
  bytes: Uint8Array,
  keys: StoreKeys | undefined,
  where: string,
): Decoded<T> {
  const subject = { holds: codec.holds, where };
  // Byte by byte: whatever is no sealed line stays what it is.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (keys === undefined) {
    if (looksSealed(text)) throw keyless(subject);
    return { value: decodeText(codec, bytes, subject) };
  }
  const opened = open(text, keys, subject);
  // The schema is known to be the writer's only now that the seal has held.
  if (opened.schema > codec.schema) throw newerSchema(subject);
  return {
    value: decodeText(codec, opened.plaintext, subject),
    sealedWithFirstKey: opened.sealedWithFirstKey,
  };
}

function decodeText<T>(codec: Codec<T>, bytes: Uint8Array, subject: Subject): T {
  if (bytes.length === 0) throw damaged(subject, "it is empty");
  try {
    const json = parseJson(decodeUtf8(bytes), "the record");
    if (schemaOf(json) > codec.schema) throw newerSchema(subject);
    return codec.decode(json);
  } catch (error) {
    if (error instanceof RecordFormatError) throw damaged(subject, error.message);
    throw error;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RecordFormatError("the record is not UTF-8");
  }
}

/** 0 for what names none. */
function schemaOf(json: unknown): number {
  if (typeof json !== "object" || json === null || !("schema" in json)) return 0;
  return typeof json.schema === "number" ? json.schema : 0;
}
