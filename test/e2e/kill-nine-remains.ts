import type { TokenRecord } from "../../src/store/contract.ts";

/** What a killed process has left, by the record and by Presto's own knowledge: the rows of the protocol's crash table. */
export const remainKinds = [
  "no intent, token alive",
  "intent, token alive",
  "intent, token dead, sole call",
  "intent, token dead, not a sole call",
  "no intent, token dead",
  "no token, no intent",
  "no token, intent",
] as const;

export type Remains = (typeof remainKinds)[number];

export function remainsOf(record: TokenRecord | undefined, liveId: string | undefined): Remains {
  const intent = record?.intent ?? null;
  if (record === undefined || record.token === null)
    return intent === null ? "no token, no intent" : "no token, intent";
  const alive = record.token.fingerprint() === liveId;
  if (alive) return intent === null ? "no intent, token alive" : "intent, token alive";
  if (intent === null) return "no intent, token dead";
  return intent.soleCall ? "intent, token dead, sole call" : "intent, token dead, not a sole call";
}

/** What the protocol promises of the next process. */
export interface Promised {
  /** Does it have to let SETTLE pass before it knows? */
  readonly waits: boolean;
  /** Issue calls that it makes. */
  readonly issues: 0 | 1;
}

/** @param executedLater the old process's call is still to be executed; `soleCall` is what its intent says */
export function promisedAfter(remains: Remains, executedLater: boolean, soleCall: boolean): Promised {
  switch (remains) {
    case "no intent, token alive":
      return { waits: false, issues: 0 };
    case "intent, token alive":
      return executedLater ? { waits: !soleCall, issues: 1 } : { waits: true, issues: 0 };
    case "intent, token dead, sole call":
    case "no intent, token dead":
    case "no token, no intent":
      return { waits: false, issues: 1 };
    case "intent, token dead, not a sole call":
    case "no token, intent":
      return { waits: true, issues: 1 };
  }
}
