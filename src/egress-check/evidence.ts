import { outcomeKinds } from "./outcomes.ts";
import type { OutcomeKind } from "./outcomes.ts";
import type { Tally } from "./recent-outcomes.ts";

const texts: Readonly<Record<OutcomeKind, string>> = {
  accepted: "accepted (2xx)",
  "app-refused": "answered by Presto's application (4xx in JSON)",
  "rate-limited": "answered with 429: too many requests",
  "token-refused": "answered with 401: the token is not accepted",
  "token-dead": "a probe found the token dead",
  forbidden: "answered with 403",
  "block-page": "answered with an HTML page",
  reset: "the connection was reset",
  refused: "the connection was refused",
  "timed-out": "no answer in time",
  failing: "an error of the server's (5xx, or an answer cut off)",
  unclear: "unclear",
};

/** What a verdict rests on, one sentence a kind, the most frequent first. */
export function describeTally(tally: Tally, ageMs: number | undefined): string[] {
  const all = outcomeKinds.reduce((sum, kind) => sum + tally[kind], 0);
  if (all === 0) return ["No exchange with Presto in the last 5 minutes tells anything."];
  const counts = outcomeKinds
    .filter((kind) => tally[kind] > 0)
    .toSorted((one, other) => tally[other] - tally[one])
    .map((kind) => `${tally[kind]} of the last ${all} exchanges with Presto: ${texts[kind]}.`);
  return [...counts, `The last of them was ${Math.round((ageMs ?? 0) / 1000)} s ago.`];
}
