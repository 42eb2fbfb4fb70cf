import { Problem } from "../errors.ts";
import { isObject } from "../lib/json.ts";
import type { Call, Response } from "./call.ts";
import { contentOf, parseJson } from "./content.ts";

/**
 * Is this success about another transaction than the call's? Then nobody knows what became of
 * the call: two answers were swapped on their way, and the caller would book the wrong one.
 *
 * Only where both can be read, and tell two transactions whatever their spelling. Asked of calls
 * that name a transaction, which are those that move money; all others cost one comparison.
 */
export function isAboutAnother(call: Pick<Call, "operation" | "body">, response: Response): boolean {
  const member = call.operation.reconcile?.member;
  const { status, headers, body } = response;
  if (member === undefined || status < 200 || status > 299 || !Buffer.isBuffer(body)) return false;
  const asked = referenceIn(call.body, (request) => request[member]);
  if (asked === undefined) return false;
  const told = referenceIn(
    contentOf(headers, body),
    ({ data, ...rest }) => (isObject(data) ? data : rest)[member],
  );
  return told !== undefined && told !== asked;
}

/** What such a call ends with. */
export function aboutAnother(): Problem {
  return new Problem("upstream-broken", {
    detail:
      "Presto's answer names another transaction than the call; nothing of it was passed on, and Presto may have acted on this one",
    proxyStatus: "http_protocol_error",
  });
}

type Read = (object: Readonly<Record<string, unknown>>) => unknown;

/** Case, Unicode form and outer white space are a server's to change. */
function referenceIn(bytes: Buffer | undefined, read: Read): string | undefined {
  const object = parseJson(bytes);
  const value = isObject(object) ? read(object) : undefined;
  return typeof value === "string" ? value.normalize("NFKC").trim().toLowerCase() : undefined;
}
