import type { RawHeaders } from "./headers.ts";
import { isMadeOf } from "./target.ts";

/** Whether the request's framing is plain, or why not: one sentence, made of nothing that it sent. */
export type FramingDecision =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: "bad-request"; readonly detail: string };

const accepted: FramingDecision = { ok: true };

function refused(detail: string): FramingDecision {
  return { ok: false, code: "bad-request", detail };
}

const refusals = {
  upgrade: refused(
    "The Upgrade field asks for another protocol, and this proxy speaks HTTP/1.1 only; leave the field out.",
  ),
  twoEncodings: refused("The request has more than one Transfer-Encoding field; send one."),
  encoding: refused(
    "The Transfer-Encoding field says something else than chunked; use chunked, or Content-Length.",
  ),
  oldEncoding: refused(
    "The request is HTTP/1.0, which knows no Transfer-Encoding; send Content-Length, or HTTP/1.1.",
  ),
  both: refused("The request has both Transfer-Encoding and Content-Length; send one of the two."),
  twoLengths: refused("The request has more than one Content-Length field; send one."),
  length: refused("The Content-Length field is not a whole number; send the body's size in bytes."),
  body: refused("A request with this method must have no body; leave the body out."),
};

const decimalDigits = new Uint8Array(256).fill(1, 0x30, 0x3a);

/** More digits than any body's size has; keeps the number exact. */
const mostDigits = 15;

/**
 * Judges the fields that say where the request ends, and whether it stays HTTP/1.1. Node's
 * parser refuses most of this by itself (RFC 9112 section 6.3): it is judged again so that a
 * more lenient parser, or a flag that makes it so, opens no way to smuggle.
 *
 * A body on `GET` is refused: servers disagree on whether it is there at all (RFC 9110 section
 * 9.3.1), and a proxy that drops it in silence changes the call. `Content-Length: 0` is no body.
 *
 * Chunks in HTTP/1.0 are faulty framing (RFC 9112 section 6.1): who forwards such a message may not have seen them.
 */
export function checkFraming(
  method: string,
  rawHeaders: RawHeaders,
  version: "1.0" | "1.1" = "1.1",
): FramingDecision {
  let encoding: string | undefined;
  let length: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    // Most names are told apart by their length, without making them lower case.
    if (name.length === 7) {
      if (name.toLowerCase() === "upgrade" && !isIgnoredUpgrade(value)) return refusals.upgrade;
    } else if (name.length === 14) {
      if (name.toLowerCase() !== "content-length") continue;
      // Two equal ones could be accepted; Node's parser does not, and nobody needs them.
      if (length !== undefined) return refusals.twoLengths;
      length = value;
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (encoding !== undefined) return refusals.twoEncodings;
      encoding = value;
    }
  }
  if (encoding !== undefined && length !== undefined) return refusals.both;
  if (encoding !== undefined && version === "1.0") return refusals.oldEncoding;
  // Names of codings have no letter case (RFC 9112 section 7).
  if (encoding !== undefined && encoding.toLowerCase() !== "chunked") return refusals.encoding;
  if (length !== undefined && !isLength(length)) return refusals.length;

  const hasBody = encoding !== undefined || (length !== undefined && Number(length) > 0);
  return hasBody && (method === "GET" || method === "HEAD") ? refusals.body : accepted;
}

/**
 * HTTP/2 is what clients ask for by themselves (Java's HttpClient in every first request), and are
 * content without: a server may ignore an Upgrade (RFC 9110 section 7.8). Whoever names another
 * protocol wants that one, and would wait for it in vain.
 */
function isIgnoredUpgrade(protocol: string): boolean {
  return protocol.length === 3 && protocol.toLowerCase() === "h2c";
}

function isLength(value: string): boolean {
  return value !== "" && value.length <= mostDigits && isMadeOf(decimalDigits, value);
}
