import { countLetIn, type OutcomeKind, type Tally } from "./outcomes.ts";

/**
 * What the last exchanges with Presto, taken together, say of how this process stands with it.
 *
 * - `registered`: Presto's application answers, and nothing tells that the token is dead.
 * - `not-registered`: Presto turns away the address that calls come from.
 * - `dead-token`: the application answers, with 401.
 * - `partner-outage`: Presto, or what stands before it, does not work.
 * - `unknown`: nothing is known yet, or the answers contradict each other.
 */
export const egressVerdicts = [
  "registered",
  "not-registered",
  "dead-token",
  "partner-outage",
  "unknown",
] as const;

export type EgressVerdict = (typeof egressVerdicts)[number];

/** How many check URLs see an address that is registered, and how many one that is not. */
export interface AddressCounts {
  readonly registered: number;
  readonly notRegistered: number;
}

export interface ClassifierInputs {
  readonly tally: Tally;
  readonly sinceAccepted: Tally;
  readonly addresses: AddressCounts;
}

/** One 401 can lie while Presto's replicas catch up; a second may come of the same lie. */
const enoughRefusals = 3;
/** One call may be turned away for what it asks. */
const enoughSigns = 3;
const enoughFailures = 3;

/**
 * More than half of the last outcomes decide. A reset is the one that can mean two things: a
 * load balancer without a healthy server behind it resets connections as a firewall does. What
 * the check URLs see decides, and, without them, whether anything else is out of order.
 */
export function classify({ tally, sinceAccepted, addresses }: ClassifierInputs): EgressVerdict {
  if (tokenIsDead(sinceAccepted)) return "dead-token";
  const says = whatTheyAgreeOn(addresses);
  const letIn = countLetIn(tally);
  const turnedAway = tally.forbidden + tally["block-page"];
  const down = tally["timed-out"] + tally.failing;
  const unreachable = tally.reset + tally.refused;
  const all = letIn + turnedAway + down + unreachable;
  if (all === 0) return withoutOutcomes(addresses);
  const enough = says === "not-registered" ? 1 : enoughSigns;
  const blocked =
    turnedAway + (says === "not-registered" ? unreachable : looksBlocked(tally, says) ? tally.reset : 0);
  const failed = all - letIn - blocked;
  if (letIn * 2 > all) return "registered";
  if (blocked * 2 > all) return blocked >= enough ? "not-registered" : "unknown";
  if (failed * 2 > all) return failed >= enoughFailures ? "partner-outage" : "unknown";
  return "unknown";
}

/**
 * Are resets more like a firewall's than like an outage? Who is turned away is so each time; a
 * server that is down is rarely down in one way alone, though any network loses a call now and then.
 */
function looksBlocked(tally: Tally, says: Agreement): boolean {
  if (says === "registered") return false;
  const otherwise = tally.refused + tally["timed-out"] + tally.failing;
  return otherwise * 5 <= tally.forbidden + tally["block-page"] + tally.reset;
}

/** Calls fail for other reasons too while a token is dead; the most of them must have been refused it. */
function tokenIsDead(tally: Tally): boolean {
  if (tally["token-dead"] === 0 && tally["token-refused"] < enoughRefusals) return false;
  const refused = tally["token-dead"] + tally["token-refused"];
  const otherwise = failures.reduce((sum, kind) => sum + tally[kind], 0);
  return refused > otherwise;
}

const failures = [
  "forbidden",
  "block-page",
  "reset",
  "refused",
  "timed-out",
  "failing",
] as const satisfies readonly OutcomeKind[];

type Agreement = "registered" | "not-registered" | "nothing";

function whatTheyAgreeOn({ registered, notRegistered }: AddressCounts): Agreement {
  if (registered > 0) return notRegistered > 0 ? "nothing" : "registered";
  return notRegistered > 0 ? "not-registered" : "nothing";
}

/** A page of one stranger is no proof; of two it is enough. */
function withoutOutcomes({ registered, notRegistered }: AddressCounts): EgressVerdict {
  if (registered > 0 && notRegistered === 0) return "registered";
  return registered === 0 && notRegistered >= 2 ? "not-registered" : "unknown";
}
