import { meanings, outcomeKinds } from "./outcomes.ts";
import type { OutcomeKind } from "./outcomes.ts";

/** How often each kind is among the outcomes that are looked at. */
export type Tally = Readonly<Record<OutcomeKind, number>>;

/** The last outcomes, in the order in which they became known. */
export interface RecentOutcomes {
  /** Costs two numbers: it is called for every exchange. @param now monotonic */
  add(kind: OutcomeKind, now: number): void;
  /** Counts the last of them. Refusals of a token that was accepted later are left out. */
  tally(now: number): Tally;
  /** As `tally`, of those alone that came after the last `accepted`. */
  tallySinceAccepted(now: number): Tally;
  /** Milliseconds since the last outcome that tells something; undefined without one. */
  ageMs(now: number): number | undefined;
  /** Something has changed, and what was says nothing of what is. */
  forget(): void;
}

/** Enough to see a majority, few enough for a change to show after nine calls. */
const looksAt = 16;

/** Milliseconds. What is older says nothing of now. */
export const recentMs = 5 * 60_000;

const numbers = new Map(outcomeKinds.map((kind, index) => [kind, index]));
const unclear = outcomeKinds.indexOf("unclear");
const acceptedNumber = outcomeKinds.indexOf("accepted");

export function createRecentOutcomes(): RecentOutcomes {
  const kinds = new Uint8Array(looksAt);
  const times = new Float64Array(looksAt);
  let added = 0;

  /** Newest first. */
  function* recent(now: number): Generator<{ readonly kind: OutcomeKind; readonly at: number }> {
    for (let back = 1; back <= Math.min(added, looksAt); back += 1) {
      const place = (added - back) % looksAt;
      const at = times[place] ?? 0;
      const kind = outcomeKinds[kinds[place] ?? unclear];
      if (now - at > recentMs || kind === undefined) return;
      yield { kind, at };
    }
  }

  return {
    add(kind, now) {
      const number = kind === "accepted" ? acceptedNumber : (numbers.get(kind) ?? unclear);
      // It would only push out what tells something.
      if (number === unclear) return;
      const place = added % looksAt;
      kinds[place] = number;
      times[place] = now;
      added += 1;
    },
    tally(now) {
      const counts = emptyTally();
      let accepted = false;
      for (const { kind } of recent(now)) {
        if (accepted && (kind === "token-refused" || kind === "token-dead")) continue;
        counts[kind] += 1;
        accepted ||= kind === "accepted";
      }
      return counts;
    },
    tallySinceAccepted(now) {
      const counts = emptyTally();
      for (const { kind } of recent(now)) {
        if (kind === "accepted") break;
        counts[kind] += 1;
      }
      return counts;
    },
    ageMs(now) {
      for (const { at } of recent(now)) return now - at;
      return undefined;
    },
    forget() {
      added = 0;
    },
  };
}

function emptyTally(): Record<OutcomeKind, number> {
  return {
    accepted: 0,
    "app-refused": 0,
    "rate-limited": 0,
    "token-refused": 0,
    "token-dead": 0,
    forbidden: 0,
    "block-page": 0,
    reset: 0,
    refused: 0,
    "timed-out": 0,
    failing: 0,
    unclear: 0,
  };
}

/** How many of a tally Presto's application answered. */
export function countLetIn(tally: Tally): number {
  let count = 0;
  for (const kind of outcomeKinds) if (meanings[kind].letIn === true) count += tally[kind];
  return count;
}
