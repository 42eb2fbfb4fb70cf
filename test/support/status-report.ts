import type { StatusReport } from "../../src/admin/status.ts";

/** What a sidecar with a token says of itself, with what a test wants to be otherwise. */
export function statusReport(differences: Partial<StatusReport> = {}): StatusReport {
  return {
    role: "proxy",
    store: "env",
    store_state: null,
    upstream: "https://presto.example",
    generation: 3,
    token_id: "0123456789abcdef",
    token_state: "in use",
    token_since: "2026-11-24T12:00:01.000Z",
    expires_at: "2026-12-24T00:00:00.000Z",
    seconds_left: 2_592_000,
    certificate_ends_at: "2027-01-24T18:00:00.000Z",
    certificate_days_left: 61.25,
    in_flight: 1,
    queued: 0,
    under_way: 1,
    open_outcomes: 0,
    oldest_open_outcome_seconds: null,
    started_at: "2026-11-24T12:00:00.000Z",
    versions: { presto_sidecar: "0.1.0", node: "26.10.0" },
    ...differences,
  };
}
