import type { AddressCounts } from "./classifier.ts";

/** What the latch is judged by. */
export interface LatchFacts {
  readonly closed: boolean;
  /** What the last round of questions showed; a check URL that did not answer is in neither count. */
  readonly addresses: AddressCounts;
  /** Presto's application has answered a call that was sent after these addresses were first seen. */
  readonly letInSince: boolean;
  /** How often Presto, since its application answered last, did what it would do to an address that is not registered. */
  readonly signs: number;
}

/** Once Presto has contradicted the check URLs, calls that were turned away for what they asked must not count. */
const signsAgainstPresto = 5;

/**
 * Whether calls must be kept back. A check URL is a stranger's page, and one alone must not
 * stop payments: it takes two that agree, or one and Presto's own behaviour; and what Presto's
 * application answers after that counts more than all of them. One that is down closes nothing.
 */
export function mustBeClosed({ closed, addresses, letInSince, signs }: LatchFacts): boolean {
  const { registered, notRegistered } = addresses;
  if (letInSince && signs < signsAgainstPresto) return false;
  if (notRegistered >= 2) return true;
  if (notRegistered === 1 && signs > 0) return true;
  return closed && registered === 0;
}
