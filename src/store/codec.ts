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
  /** What using it needs of one that a later version wrote, as far as that can be told. @throws RecordFormatError */
  decodeLater?(json: unknown): T;
}

/** What an object's bytes held. */
export interface Decoded<T> {
  readonly value: T;
  /** Only of a sealed one: false where another than the first key opened it. */
  readonly sealedWithFirstKey?: boolean;
  /** True for one of a later version: not all of it was read. */
  readonly isLater?: true;
}

/** Which versions are read: those up to this program's own, all of them; or, to be used and never written, later ones too. */
export type Reading = "own" | "later-too";

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
 * @throws StoreError `wrong-key`, `damaged`, `newer-schema`: with `later-too` only where a later version's can't be used
 */
export function decodeObject<T>(
  codec: Codec<T>,
  bytes: Uint8Array,
  keys: StoreKeys | undefined,
  where: string,
  reading: Reading = "own",
): Decoded<T> {
  const subject = { holds: codec.holds, where };
  // Byte by byte: whatever is no sealed line stays what it is.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (keys === undefined) {
    if (looksSealed(text)) throw keyless(subject);
    return decodeText(codec, bytes, subject, reading);
  }
  const { schema, plaintext, sealedWithFirstKey } = open(text, keys, subject);
  // The schema is known to be the writer's only now that the seal has held.
  if (schema > codec.schema) return decodeLater(codec, plaintext, subject, reading);
  return { ...decodeText(codec, plaintext, subject, reading), sealedWithFirstKey };
}

function decodeText<T>(codec: Codec<T>, bytes: Uint8Array, subject: Subject, reading: Reading): Decoded<T> {
  if (bytes.length === 0) throw damaged(subject, "it is empty");
  try {
    const json = parseJson(decodeUtf8(bytes), "the record");
    if (schemaOf(json) > codec.schema) return decodeLater(codec, bytes, subject, reading);
    return { value: codec.decode(json) };
  } catch (error) {
    if (error instanceof RecordFormatError) throw damaged(subject, error.message);
    throw error;
  }
}

function decodeLater<T>(codec: Codec<T>, bytes: Uint8Array, subject: Subject, reading: Reading): Decoded<T> {
  if (reading === "own" || codec.decodeLater === undefined) throw newerSchema(subject);
  try {
    return { value: codec.decodeLater(parseJson(decodeUtf8(bytes), "the record")), isLater: true };
  } catch (error) {
    // Whatever it is by now, it is not damaged: who wrote it can read it.
    if (error instanceof RecordFormatError) throw newerSchema(subject);
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
