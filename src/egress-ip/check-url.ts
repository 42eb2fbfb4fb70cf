import type { Clock } from "../clock.ts";
import { ConnectError } from "../connect/errors.ts";
import { CodedError } from "../errors.ts";
import type { Origin } from "../lib/host.ts";
import { type Address, parseAddress } from "../lib/ip.ts";
import { parseMembers } from "../presto/answers.ts";
import { fieldOf, mediaTypeOf } from "../upstream/call.ts";
import {
  getOnce,
  type OpenPool,
  type RequestEnd,
  OwnRequestError,
  type OwnResponse,
} from "../upstream/request-once.ts";

/**
 * - `no-connection`: not a byte was sent.
 * - `no-answer`: sent, and nothing whole came in time.
 * - `status`: an answer other than 200; redirects are not followed.
 * - `html`: a page for people.
 * - `too-large`: more than an address ever takes.
 * - `not-an-address`: text that is none, or one that no connection comes from.
 * - `not-json`, `no-ip`: JSON that can't be read, or has no `ip` of its own.
 */
export type AddressAnswerCode =
  | "no-connection"
  | "no-answer"
  | "status"
  | "html"
  | "too-large"
  | "not-an-address"
  | "not-json"
  | "no-ip";

/** A check URL that did not answer with an address. The message is for people and quotes nothing that came. */
export class AddressAnswerError extends CodedError<AddressAnswerCode> {
  override readonly name = "AddressAnswerError";
}

/** A server that tells whoever asks which address the question came from. */
export interface CheckUrl {
  readonly origin: Origin;
  /** Path and query, as they are sent. They may hold a key, so they are shown nowhere. */
  readonly target: string;
  /** Host, and the port unless it is 443: what it is called in messages, metrics and `/status`. */
  readonly name: string;
}

/** What one check URL said. */
export type CheckAnswer =
  | { readonly name: string; readonly address: Address; readonly error?: undefined }
  | { readonly name: string; readonly address?: undefined; readonly error: AddressAnswerError };

export interface AskAddressOptions {
  /** What the URL is called. */
  readonly name: string;
  /** Path and query. */
  readonly target: string;
  /** Over the one egress, and to this URL's server alone. */
  readonly openPool: OpenPool;
  /** Milliseconds for the whole question. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const headers = [
  ["accept", "text/plain, application/json;q=0.9"],
  // RFC 9110 section 12.5.3: an address needs no compression.
  ["accept-encoding", "identity"],
  ["user-agent", "presto-sidecar"],
].flat();

/**
 * Asks a check URL for the address that this process leaves from. The request has nothing of
 * ours in it: no token, no cookie, nothing of a call. Never rejects.
 */
export function createAskAddress(options: AskAddressOptions): () => Promise<CheckAnswer> {
  const { name, target, openPool, timeoutMs, clock } = options;
  return async () => {
    const end = await getOnce({ openPool, path: target, headers, timeoutMs, clock });
    try {
      if (end.kind === "answered") return { name, address: readAddress(end.response) };
      return { name, error: toError(end, timeoutMs) };
    } catch (error) {
      if (error instanceof AddressAnswerError) return { name, error };
      throw error;
    }
  };
}

/** Why there is no answer. The messages of a request speak of Presto, which has no part in this. */
function toError(end: Exclude<RequestEnd, { kind: "answered" }>, timeoutMs: number): AddressAnswerError {
  const { cause } = end;
  if (cause instanceof ConnectError) {
    return new AddressAnswerError("no-connection", `it could not be reached: ${cause.message}`, cause);
  }
  const code = cause instanceof OwnRequestError ? cause.code : undefined;
  if (code === "too-large")
    return new AddressAnswerError("too-large", "it answered with far more than an address");
  if (code === "given-up")
    return new AddressAnswerError("no-answer", `no answer came within ${timeoutMs} ms`);
  return end.kind === "not-sent"
    ? new AddressAnswerError("no-connection", "it could not be reached", cause)
    : new AddressAnswerError("no-answer", "the connection broke before its answer was whole", cause);
}

/** Bytes. An address takes 39; JSON may say more about it. */
const largestBody = 4 * 1024;

/**
 * The address that a check URL answered with: as plain text, or as the member `ip` of a JSON
 * object. Strict, since payments may stop for it: whatever is not plainly an address is an error.
 * @throws AddressAnswerError
 */
export function readAddress(response: OwnResponse): Address {
  const { status, body } = response;
  if (status !== 200) throw new AddressAnswerError("status", statusSentence(status));
  if (body.length > largestBody) {
    throw new AddressAnswerError(
      "too-large",
      `it answered with ${body.length} bytes, which is no address; give a URL that answers with the address alone`,
    );
  }
  const encoding = fieldOf(response, "content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw new AddressAnswerError("not-an-address", "its answer is compressed, though it was asked not to");
  }
  const type = mediaTypeOf(response);
  // A byte that is not ASCII becomes a character that no address has; but for a byte order mark.
  const text = body.toString("latin1").replace(/^(?:\xEF\xBB\xBF)?[ \t\r\n]+|[ \t\r\n]+$|^\xEF\xBB\xBF/g, "");
  if (isPage(type, text)) {
    throw new AddressAnswerError(
      "html",
      "it answered with an HTML page; give a URL that answers with plain text, or with JSON that has ip",
    );
  }
  return type.endsWith("json") || text.startsWith("{") ? fromJson(body) : fromText(text);
}

function statusSentence(status: number): string {
  return status >= 300 && status < 400
    ? `it answered with a redirect (${status}), which is not followed; give the URL that it leads to`
    : `it answered with status ${status} instead of 200`;
}

function isPage(type: string, text: string): boolean {
  return type === "text/html" || type === "application/xhtml+xml" || text.startsWith("<");
}

function fromText(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new AddressAnswerError(
    "not-an-address",
    text === "" ? "its answer is empty" : "its answer is not an IP address that connections can come from",
  );
}

function fromJson(body: Buffer): Address {
  const object = parseMembers(body);
  if (object === undefined) throw new AddressAnswerError("not-json", "its answer is not a JSON object");
  const ip = object.get("ip");
  if (typeof ip !== "string")
    throw new AddressAnswerError("no-ip", "its JSON has no ip, or one that is no text");
  return fromText(ip);
}
