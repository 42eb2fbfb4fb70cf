import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";

/** Most bytes that content may come to: every answer that is looked into is far smaller. More is a mistake, or a bomb. */
export const largestContent = 64 * 1024;
/** More codings than that on top of each other have no use. */
const mostCodings = 3;

/** RFC 9110 section 8.4.1, and what the runtime has beside it. So little is undone that it does not hold up the thread. */
const decoders: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["identity", (bytes) => bytes],
  ["gzip", (bytes, bound) => gunzipSync(bytes, bound)],
  ["x-gzip", (bytes, bound) => gunzipSync(bytes, bound)],
  ["br", (bytes, bound) => brotliDecompressSync(bytes, bound)],
  ["zstd", (bytes, bound) => zstdDecompressSync(bytes, bound)],
  // Some servers leave the zlib format out.
  ["deflate", (bytes, bound) => ((bytes[0] ?? 0) % 16 === 8 ? inflateSync : inflateRawSync)(bytes, bound)],
]);

type Decode = (bytes: Buffer, bound: { readonly maxOutputLength: number }) => Buffer;

/**
 * What a body says, without the content codings that are on it: an answer's, that a server or a
 * gateway has put there though `identity` was asked for, or a call's. Undefined where they can't be
 * undone, or come to more than `mostBytes`. What is passed on never comes through here.
 */
export function contentOf(
  headers: readonly string[],
  body: Buffer,
  mostBytes = largestContent,
): Buffer | undefined {
  const codings = codingsOf(headers);
  if (codings.length > mostCodings) return undefined;
  let content = body;
  try {
    for (const coding of codings.toReversed()) {
      const decode = decoders.get(coding);
      if (decode === undefined) return undefined;
      content = decode(content, { maxOutputLength: mostBytes });
    }
    return content;
  } catch {
    // It is no such thing, is cut, or comes to too much.
    return undefined;
  }
}

/** In the order in which they were put on. */
function codingsOf(headers: readonly string[]): string[] {
  const codings: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== "content-encoding") continue;
    for (const coding of (headers[index + 1] ?? "").split(",")) {
      const name = coding.trim().toLowerCase();
      if (name !== "") codings.push(name);
    }
  }
  return codings;
}

/**
 * What bytes are in JSON, or undefined. JSON is UTF-8, whatever charset a field names (RFC 8259
 * section 8.1); a byte order mark is dropped, and one of UTF-16 is believed.
 */
export function parseJson(bytes: Buffer | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    // The parser's own error quotes the text, which may hold a token: it goes no further.
    return undefined;
  }
}

const byteOrderMark = 0xfeff;

/** Bytes as text, without a byte order mark. */
export function textOf(bytes: Buffer): string {
  const encoding = encodingOf(bytes);
  if (encoding !== "utf-8") return new TextDecoder(encoding).decode(bytes);
  // A decoder costs more to make than most bodies to read.
  const text = bytes.toString("utf8");
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text;
}

function encodingOf(bytes: Buffer): string {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE();
  return mark === 0xfeff ? "utf-16be" : mark === 0xfffe ? "utf-16le" : "utf-8";
}
