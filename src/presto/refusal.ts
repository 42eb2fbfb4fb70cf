import { fieldOf } from "../upstream/call.ts";
import type { WholeAnswer } from "../upstream/request-once.ts";
import { readRetryAfter } from "./answer-times.ts";
import type { RefusedByPresto } from "./issuer.ts";
import { isErrorShape, type JsonObject, readJson, toObject } from "./json-answer.ts";

/**
 * A refusal by which Presto did nothing: 401, 422 or 429 in its own shape. Undefined for
 * every other answer: the same status on a gateway's page does not say what Presto did.
 * @param whatFor401 what a 401 to this call is about: `the e-mail or the password`
 * @param now milliseconds since 1970
 */
export function readRefusal(
  answer: WholeAnswer,
  whatFor401: string,
  now: number,
): RefusedByPresto | undefined {
  const { status } = answer;
  if (status !== 401 && status !== 422 && status !== 429) return undefined;
  const body = readJson(answer);
  if (!isErrorShape(body)) return undefined;
  const retryAfterMs = readRetryAfter(fieldOf(answer, "retry-after"), now);
  return {
    kind: "refused",
    status,
    detail: detailOf(status, whatFor401, body),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function detailOf(status: RefusedByPresto["status"], whatFor401: string, body: JsonObject): string {
  switch (status) {
    case 401:
      return `Presto refused ${whatFor401} (401).`;
    case 422: {
      const fields = fieldNames(body);
      const named = fields.length === 0 ? "it named no field" : `it named: ${fields.join(", ")}`;
      return `Presto refused what was asked for (422); ${named}.`;
    }
    case 429:
      return "Presto has had too many calls (429).";
  }
}

const mostFields = 8;

/** The fields that a 422 complains of. Their names only: its sentences may repeat what was sent. */
function fieldNames(body: JsonObject): readonly string[] {
  const names = [...(toObject(body.get("errors"))?.keys() ?? [])];
  return names.filter((name) => /^[a-z_]{1,40}$/.test(name)).slice(0, mostFields);
}
