import type { RenewalReport } from "../../src/renewal/types.ts";

/** What a renewal that waits for its day says of itself, with what a test wants to be otherwise. */
export function renewalReport(differences: Partial<RenewalReport> = {}): RenewalReport {
  return {
    state: "idle",
    automatic: true,
    dueAt: new Date("2026-12-20T00:00:00Z"),
    nextTryAt: null,
    lastEnd: null,
    stopped: null,
    unexplainedDeaths: 0,
    credentialsRefused: null,
    clockWrong: null,
    lock: { name: "file lock /token.lock", holder: null, ours: false },
    elsewhere: null,
    ...differences,
  };
}
