import type { EgressReport } from "../egress-ip/observed.ts";

/** What `/status` says of the address that calls leave from, in the names that it has there. Holds no secret: of a check URL only the host is told. */
export interface EgressStatus {
  /** As the check URLs saw it last; several where they differ, empty while unknown. */
  readonly addresses: readonly string[];
  /** Is it in PRESTO_EGRESS_IPS? Null while that can't be said. */
  readonly registered: boolean | null;
  /** Why calls are kept back; null while they are not. */
  readonly closed: string | null;
  /** `registered`, `not-registered`, `dead-token`, `partner-outage` or `unknown`, by the last exchanges with Presto. */
  readonly verdict: string;
  /** Sentences, for people. */
  readonly evidence: readonly string[];
  /** ISO 8601; null before the first time. */
  readonly checked_at: string | null;
  readonly check_urls: readonly {
    readonly host: string;
    /** Null before the first answer. */
    readonly ok: boolean | null;
    readonly address: string | null;
    readonly error: string | null;
  }[];
}

export function egressStatus(report: EgressReport): EgressStatus {
  return {
    addresses: report.addresses,
    registered: report.registered,
    closed: report.closed,
    verdict: report.verdict,
    evidence: report.evidence,
    checked_at: report.checkedAt?.toISOString() ?? null,
    check_urls: report.checkUrls,
  };
}
