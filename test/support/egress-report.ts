import type { EgressReport } from "../../src/egress-ip/observed.ts";

/** What is said of the way out while nothing is known of it, with what a test wants to be otherwise. */
export function egressReport(differences: Partial<EgressReport> = {}): EgressReport {
  return {
    addresses: [],
    registered: null,
    closed: null,
    verdict: "unknown",
    evidence: [],
    checkedAt: null,
    checkUrls: [],
    ...differences,
  };
}
