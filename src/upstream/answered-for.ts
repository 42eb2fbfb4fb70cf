import { isObject, parseObject } from "../lib/json.ts";
import type { Call, Response } from "./call.ts";

/**
 * Is this success about another transaction than the call's? Then nobody knows what became of
 * the call: two answers were swapped on their way, and the caller would book the wrong one.
 *
 * Only where both can be read, and tell two transactions whatever their spelling. Asked of calls
 * that name a transaction, which are those that move money; all others cost one comparison.
 */
export function isAboutAnother(call: Pick<Call, "operation" | "body">, response: Response): boolean {
  const member = call.operation.reconcile?.member;
  const { status, body } = response;
  if (member === undefined || status < 200 || status > 299 || !Buffer.isBuffer(body)) return false;
  const asked = referenceIn(call.body, (request) => request[member]);
  if (asked === undefined) return false;
  const told = referenceIn(body, ({ data, ...rest }) => (isObject(data) ? data : rest)[member]);
  return told !== undefined && told !== asked;
}

type Read = (object: Readonly<Record<string, unknown>>) => unknown;

/** Case, Unicode form and outer white space are a server's to change. */
function referenceIn(bytes: Buffer | undefined, read: Read): string | undefined {
  const object = parseObject(bytes?.toString("utf8") ?? "");
  const value = object === undefined ? undefined : read(object);
  return typeof value === "string" ? value.normalize("NFKC").trim().toLowerCase() : undefined;
}
