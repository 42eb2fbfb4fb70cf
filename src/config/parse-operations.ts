import { natures, type Operation, readTemplate, walletOperations } from "../policy/operations.ts";
import { InvalidValue, parseList, quote } from "./parse.ts";

/** What apps may be given: `HEAD` is not `GET` to the table, and the others ask for no operation (or, TRACE, would send the token back). */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Further operations that apps may call: comma list of `METHOD /path/{param}`, each perhaps with
 * what it does behind a semicolon. A path is read by the same function that the table of
 * operations reads it by; what a `{param}` may stand for is checked with each request.
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
  const [call = "", nature, ...details] = text.split(";");
  const [, method, template] = /^(\S+)[ \t]+(\S+)$/.exec(call) ?? [];
  if (method === undefined || template === undefined) {
    throw new InvalidValue(`${quote(text)} is not a method and a path`);
  }
  if (!methods.includes(method))
    throw new InvalidValue(`${quote(text)} has a method other than ${methods.join(", ")}`);
  const read = readTemplate(template);
  if (!read.ok) throw new InvalidValue(`${quote(text)} is refused: ${read.fault}`);
  const operation = {
    name: `${method} ${template}`,
    method,
    template,
    ...parseNature(text, method, nature, details),
  };
  if (walletOperations.some((known) => whatMatches(known) === whatMatches(operation))) {
    throw new InvalidValue(`${quote(text)} is allowed without being listed; remove it`);
  }
  return operation;
}

/** A member of a JSON object whose name needs no care. */
const memberName = /^[A-Za-z0-9_.-]{1,64}$/;

/** `reads`, `prepares`, or `moves`, perhaps with how to ask what became of it; without a word a GET reads, and any other moves. */
function parseNature(
  text: string,
  method: string,
  word: string | undefined,
  details: readonly string[],
): Pick<Operation, "nature" | "reconcile"> {
  if (word === undefined) return { nature: method === "GET" ? "reads" : "moves" };
  const nature = natures.find((known) => known === word);
  if (nature !== undefined && nature !== "moves" && details.length === 0) return { nature };
  if (nature !== "moves") {
    throw new InvalidValue(
      `${quote(text)} has something other than ;reads, ;prepares or ;moves behind its path`,
    );
  }
  // A GET that finds its connection dead is sent once more.
  if (method === "GET") throw new InvalidValue(`${quote(text)} is a GET, which must move nothing`);
  const [reference, ask, ...more] = details;
  if (reference === undefined) return { nature };
  const [, member = ""] = /^reference=(.*)$/.exec(reference) ?? [];
  const [, path] = /^ask=(.*)$/.exec(ask ?? "") ?? [];
  if (!memberName.test(member) || path === undefined || more.length > 0) {
    throw new InvalidValue(
      `${quote(text)} does not say how to ask what became of it: write ;moves;reference=MEMBER;ask=/path/{reference}`,
    );
  }
  const read = readTemplate(path);
  if (!read.ok) throw new InvalidValue(`${quote(text)} asks at a path that is refused: ${read.fault}`);
  if (read.template.pieces.length !== 2 || !path.includes("/{reference}")) {
    throw new InvalidValue(`${quote(text)} asks at a path whose one parameter is not {reference}`);
  }
  return { nature, reconcile: { member, path } };
}
