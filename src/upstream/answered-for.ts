import { Problem } from "../errors.ts";
import type { Call, Response } from "./call.ts";
import { answeredReferences, readReferences, type Reference } from "./references.ts";

/**
 * Is this success about another transaction than the call's? Then nobody knows what became of
 * the call: two answers were swapped on their way, and the caller would book the wrong one.
 *
 * Asked of calls that name a transaction, which are those that move money; all others cost one
 * comparison.
 */
export function isAboutAnother(
  call: Pick<Call, "operation" | "body" | "headers" | "target" | "money">,
  response: Response,
): boolean {
  const member = call.operation.reconcile?.member;
  const { status } = response;
  if (member === undefined || status < 200 || status > 299) return false;
  const { references } = call.money ?? readReferences(call, member);
  return namesAnother(answeredReferences(response, member), references);
}

/** What a call ends with whose answer was about another. */
export class AnswerToAnother extends Problem {
  constructor() {
    super("upstream-broken", {
      detail:
        "Presto's answer names another transaction than the call; nothing of it was passed on, and Presto may have acted on this one",
      proxyStatus: "http_protocol_error",
    });
  }
}

/**
 * Does an answer name another transaction than was asked for? Only where both can be read, are of
 * one kind (a number beside a text may be anything), and are two whatever their spelling.
 */
export function namesAnother(told: readonly Reference[], asked: readonly Reference[]): boolean {
  return told.some(
    ({ key, isNumber }) =>
      !asked.some((one) => one.key === key) && asked.some((one) => one.isNumber === isNumber),
  );
}
