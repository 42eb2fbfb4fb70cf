import { type AddressCounts, classify, type EgressVerdict } from "../../src/egress-ip/classify.ts";
import { createRecentOutcomes, type OutcomeKind } from "../../src/egress-ip/outcomes.ts";

/** One letter for each kind, so that a row of a table shows a whole stream. */
const letters: Readonly<Record<string, OutcomeKind>> = {
  a: "accepted",
  p: "app-refused",
  l: "rate-limited",
  t: "token-refused",
  D: "token-dead",
  f: "forbidden",
  h: "block-page",
  r: "reset",
  c: "refused",
  o: "timed-out",
  e: "failing",
  u: "unclear",
};

/** The kinds of a stream such as `aaatf`, oldest first. */
export function kindsOf(stream: string): OutcomeKind[] {
  return [...stream].map((letter) => {
    const kind = letters[letter];
    if (kind === undefined) throw new Error(`${letter} is no letter of an outcome`);
    return kind;
  });
}

/** What check URLs see: `2n` is two that see a strange address, `1y1n` one of each, `` nobody. */
export function countsOf(text: string): AddressCounts {
  const count = (letter: string): number => Number(new RegExp(`(\\d)${letter}`).exec(text)?.[1] ?? 0);
  return { registered: count("y"), notRegistered: count("n") };
}

/** The verdict over a stream in which an outcome comes each second. */
export function verdictOf(stream: string, counts: AddressCounts): EgressVerdict {
  const recent = createRecentOutcomes();
  let now = 0;
  for (const kind of kindsOf(stream)) {
    now += 1_000;
    recent.add(kind, now);
  }
  return classify({
    tally: recent.tally(now),
    sinceAccepted: recent.tallySinceAccepted(now),
    addresses: counts,
  });
}
