import type { RenewalReport } from "../renewal/types.ts";

/** What `/status` says of the token's renewal, in the names that it has there. Times are ISO 8601. Holds no secret. */
export interface RenewalStatus {
  readonly state: string;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** When the stored token is to be renewed; null while unknown. */
  readonly due_at: string | null;
  /** When a renewal that did not work out is tried again; null if none is put off. */
  readonly next_try_at: string | null;
  /** Null before the first. */
  readonly last_end: { readonly kind: string; readonly detail: string | null; readonly at: string } | null;
  /** Null while it is not latched. */
  readonly alarm: { readonly reason: string; readonly at: string } | null;
  readonly unexplained_deaths_24h: number;
  /** Why no password that is known works; null while that is not so. */
  readonly credentials_refused: string | null;
}

export function renewalStatus(report: RenewalReport): RenewalStatus {
  const { lastEnd, stopped } = report;
  return {
    state: report.state,
    automatic: report.automatic,
    due_at: report.dueAt?.toISOString() ?? null,
    next_try_at: report.nextTryAt?.toISOString() ?? null,
    last_end:
      lastEnd === null ? null : { kind: lastEnd.kind, detail: lastEnd.detail, at: lastEnd.at.toISOString() },
    alarm: stopped === null ? null : { reason: stopped.reason, at: stopped.at.toISOString() },
    unexplained_deaths_24h: report.unexplainedDeaths,
    credentials_refused: report.credentialsRefused,
  };
}
