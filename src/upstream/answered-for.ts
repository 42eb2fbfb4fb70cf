import { Problem } from "../errors.ts";
import { isObject } from "../lib/json.ts";
import type { Call, Response } from "./call.ts";
import { contentOf, parseJson } from "./content.ts";

/**
 * Is this success about another transaction than the call's? Then nobody knows what became of
 * the call: two answers were swapped on their way, and the caller would book the wrong one.
 *
 * Asked of calls that name a transaction, which are those that move money; all others cost one
 * comparison.
 */
export function isAboutAnother(call: Pick<Call, "operation" | "body">, response: Response): boolean {
  const member = call.operation.reconcile?.member;
  const { status } = response;
  if (member === undefined || status < 200 || status > 299) return false;
  const request = parseJson(call.body);
  return isObject(request) && namesAnother(response, member, request[member]);
}

/** What such a call ends with. */
export function aboutAnother(): Problem {
  return new Problem("upstream-broken", {
    detail:
      "Presto's answer names another transaction than the call; nothing of it was passed on, and Presto may have acted on this one",
    proxyStatus: "http_protocol_error",
  });
}

/**
 * Does this answer name another transaction, in its `data` or beside it? Only where both can be
 * read, and are two whatever their spelling.
 */
export function namesAnother({ headers, body }: Response, member: string, reference: unknown): boolean {
  const asked = plainSpelling(reference);
  if (asked === undefined || !Buffer.isBuffer(body)) return false;
  const answer = parseJson(contentOf(headers, body));
  if (!isObject(answer)) return false;
  const told = plainSpelling((isObject(answer["data"]) ? answer["data"] : answer)[member]);
  return told !== undefined && told !== asked;
}

/** Case, Unicode form and outer white space are a server's to change. */
function plainSpelling(reference: unknown): string | undefined {
  return typeof reference === "string" ? reference.normalize("NFKC").trim().toLowerCase() : undefined;
}
