import { type Operation, readTemplate, walletOperations } from "../policy/operations.ts";
import { InvalidValue, parseList, quote } from "./parse.ts";

/** What apps may be given: `HEAD` is not `GET` to the table, and the others ask for no operation (or, TRACE, would send the token back). */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Further operations that apps may call: comma list of `METHOD /path/{param}`. A path is
 * read by the same function that the table of operations reads it by; what a `{param}` may
 * stand for is checked with each request.
 * @throws InvalidValue
 */
export function parseOperations(text: string): Operation[] {
  return parseList(text, parseOperation, whatMatches);
}

/** Parameters by any name match the same paths. */
function whatMatches(operation: Operation): string {
  const read = readTemplate(operation.template);
  return `${operation.method} ${read.ok ? read.template.pieces.join("{}") : operation.template}`;
}

function parseOperation(text: string): Operation {
  const [, method, template] = /^(\S+)[ \t]+(\S+)$/.exec(text) ?? [];
  if (method === undefined || template === undefined) {
    throw new InvalidValue(`${quote(text)} is not a method and a path`);
  }
  if (!methods.includes(method))
    throw new InvalidValue(`${quote(text)} has a method other than ${methods.join(", ")}`);
  const read = readTemplate(template);
  if (!read.ok) throw new InvalidValue(`${quote(text)} is refused: ${read.fault}`);
  const operation = { name: `${method} ${template}`, method, template, movesMoney: method !== "GET" };
  if (walletOperations.some((known) => whatMatches(known) === whatMatches(operation))) {
    throw new InvalidValue(`${quote(text)} is allowed without being listed; remove it`);
  }
  return operation;
}
