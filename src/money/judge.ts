import { isObject } from "../lib/json.ts";
import { type Call, isJson, type Response, type Verdict } from "../upstream/call.ts";
import { contentOf, parseJson } from "../upstream/content.ts";
import { answeredReferences, type Reference } from "../upstream/references.ts";

/**
 * Refusals that do not say that nothing was done: a request that was thought to be late or early may
 * have been acted on, and a conflict may mean that the money has moved before.
 */
const unsureRefusals: ReadonlySet<number> = new Set([408, 409, 425]);

/**
 * What the answer to a call that moves money says of the money. Only two kinds of answers are clear:
 * a success that names the call's own transaction, and a refusal in Presto's own JSON (of a 401,
 * which comes before anything is done, whatever JSON it is). A page of a gateway, whatever its
 * status, is none of Presto's words.
 */
export function judge(call: Pick<Call, "operation" | "money">, response: Response): Verdict {
  const { status } = response;
  if (status >= 200 && status <= 299) return judgeSuccess(call, response);
  if (status < 400 || status > 499 || unsureRefusals.has(status)) return "unclear";
  const isRefusal = status === 401 ? isJson(response) : isPrestosRefusal(response);
  return isRefusal ? "refused" : "unclear";
}

function judgeSuccess({ operation, money }: Pick<Call, "operation" | "money">, response: Response): Verdict {
  const member = operation.reconcile?.member;
  // Where nothing says what stands for the transaction, there is nothing to compare: it counts once it has come whole (`whenWhole`).
  if (member === undefined) return "completed";
  const told = answeredReferences(response, member);
  const asked = money?.references ?? [];
  const isOwn = asked.length === 0 || told.every(({ key }) => asked.some((one) => one.key === key));
  if (told.length === 0 || !isOwn) return "unclear";
  const status = statusIn(response);
  return status === undefined || status === "completed" ? "completed" : "unclear";
}

/** Transactions that a call names beside those that its success is about: each is guarded, and found out, by itself. */
export function namedBeside(
  { operation, money }: Pick<Call, "operation" | "money">,
  response: Response,
): readonly Reference[] {
  const member = operation.reconcile?.member;
  const asked = money?.references ?? [];
  if (member === undefined || asked.length < 2) return [];
  const told = answeredReferences(response, member);
  return asked.filter(({ key }) => !told.some((one) => one.key === key));
}

/** The `status` that stands in an answer's `data`, or undefined. */
export function statusIn({ headers, body }: Response): unknown {
  if (!Buffer.isBuffer(body)) return undefined;
  const answer = parseJson(contentOf(headers, body));
  return isObject(answer) && isObject(answer["data"]) ? answer["data"]["status"] : undefined;
}

/** Presto's errors are JSON of the shape `{"message": "…"}`. */
function isPrestosRefusal(response: Response): boolean {
  const { headers, body } = response;
  if (!isJson(response) || !Buffer.isBuffer(body)) return false;
  const answer = parseJson(contentOf(headers, body));
  return isObject(answer) && typeof answer["message"] === "string";
}
