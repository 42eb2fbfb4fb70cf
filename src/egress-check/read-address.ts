import { type Address, parseAddress } from "../lib/ip.ts";
import { parseObject } from "../presto/json-answer.ts";
import { fieldOf } from "../upstream/call.ts";
import type { WholeAnswer } from "../upstream/request-once.ts";
import { AddressAnswerError } from "./address-answer-error.ts";

/** Bytes. An address takes 39; JSON may say more about it. */
const largestBody = 4 * 1024;

/**
 * The address that a check URL answered with: as plain text, or as the member `ip` of a JSON
 * object. Strict, since payments may stop for it: whatever is not plainly an address is an error.
 * @throws AddressAnswerError
 */
export function readAddress(answer: WholeAnswer): Address {
  const { status, body } = answer;
  if (status !== 200) throw new AddressAnswerError("status", statusSentence(status));
  if (body.length > largestBody) {
    throw new AddressAnswerError(
      "too-large",
      `it answered with ${body.length} bytes, which is no address; give a URL that answers with the address alone`,
    );
  }
  const encoding = fieldOf(answer, "content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw new AddressAnswerError("not-an-address", "its answer is compressed, though it was asked not to");
  }
  const type = mediaType(fieldOf(answer, "content-type"));
  // A byte that is not ASCII becomes a character that no address has.
  const text = body.toString("latin1").replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
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

function mediaType(field: string | undefined): string {
  return (field ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
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
  const object = parseObject(body);
  if (object === undefined) throw new AddressAnswerError("not-json", "its answer is not a JSON object");
  const ip = object.get("ip");
  if (typeof ip !== "string")
    throw new AddressAnswerError("no-ip", "its JSON has no ip, or one that is no text");
  return fromText(ip);
}
