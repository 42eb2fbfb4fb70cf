import type { EgressReport } from "../egress-ip/observed.ts";
import type { LastSeen } from "../observe/last-seen.ts";
import type { RenewalReport } from "../renewal/types.ts";
import type { StoreReport, TokenStore } from "../store/contract.ts";
import { isReady, type Latch } from "./readiness.ts";

/** What `/status` says, in the names that it has there. Holds no secret. Null: not known (yet). */
export interface StatusReport {
  readonly role: string;
  /** Kind of the token store. */
  readonly store: string;
  /** How following it goes; null for a token that was given by value or by a file. */
  readonly store_state: StoreState | null;
  /** Origin that calls go to. */
  readonly upstream: string;
  readonly generation: number | null;
  /** Fingerprint of the token in hand. */
  readonly token_id: string | null;
  /** `refused`: Presto's last word on that token is 401. Readiness does not follow it: a 401 can lie. */
  readonly token_state: "none" | "in use" | "refused";
  /** When it came into the hand of this process; ISO 8601, as all times here. */
  readonly token_since: string | null;
  readonly expires_at: string | null;
  readonly seconds_left: number | null;
  /** That of Presto, as it was shown last. */
  readonly certificate_ends_at: string | null;
  readonly certificate_days_left: number | null;
  /** Calls being sent, and calls waiting. */
  readonly in_flight: number;
  readonly queued: number;
  /** Calls that were accepted and are not over: these two, and those whose bodies still come, or whose replies are not out. */
  readonly under_way: number;
  /** Calls that move money whose end is not known, and the age of the oldest; null without one. Which they are, the control listener says. */
  readonly open_outcomes: number;
  readonly oldest_open_outcome_seconds: number | null;
  /** ISO 8601. */
  readonly started_at: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** How following the store goes, as `/status` says it. Holds no secret. */
export interface StoreState {
  /** `down`: it is only polled for now. Null where it has no watch that can fail. */
  readonly watch: "live" | "down" | null;
  /** ISO 8601, of the last read that went well; null before the first. */
  readonly last_read_at: string | null;
  /** Why the last read went wrong; null where it did not. The token in hand goes on serving. */
  readonly failure: string | null;
}

/** A latch, as `/status` says it. */
interface LatchStatus {
  readonly closed: boolean;
  readonly reason: string | null;
  /** True: readiness does not follow it. */
  readonly advisory: boolean;
}

/** The report as it goes out: with the latches in it, and with what is known of the token's renewal and of egress. */
export type FullReport = StatusReport & {
  readonly ready: boolean;
  /** Null in a role that issues nothing. */
  readonly renewal: RenewalStatus | null;
  /** Null where egress is not watched. */
  readonly egress: EgressStatus | null;
  readonly latches: Readonly<Record<string, LatchStatus>>;
};

/**
 * @param renewal undefined in a role that issues nothing
 * @param egress undefined where egress is not watched
 */
export function fullReport(
  report: StatusReport,
  latches: readonly Latch[],
  renewal: RenewalReport | undefined,
  egress?: EgressReport,
): FullReport {
  return {
    ready: isReady(latches),
    ...report,
    renewal: renewal === undefined ? null : renewalStatus(renewal),
    egress: egress === undefined ? null : egressStatus(egress),
    latches: Object.fromEntries(
      latches.map((latch) => [
        latch.name,
        { closed: latch.closed, reason: latch.closed ? latch.reason : null, advisory: latch.advisory },
      ]),
    ),
  };
}

export interface StatusDeps {
  readonly role: string;
  readonly store: Pick<TokenStore, "kind" | "report">;
  readonly upstream: string;
  readonly lastSeen: LastSeen;
  readonly load: () => { readonly inFlight: number; readonly queued: number };
  readonly underWay: () => number;
  readonly outcomes: () => { readonly open: number; readonly oldestMs: number | undefined };
  readonly version: string;
  /** Wall clock of the start, milliseconds since 1970. */
  readonly startedAt: number;
}

/** What `/status` says at this moment. */
export function statusOf(deps: StatusDeps): StatusReport {
  const { lastSeen } = deps;
  const token = lastSeen.token();
  const { inFlight, queued } = deps.load();
  const { open, oldestMs } = deps.outcomes();
  return {
    role: deps.role,
    store: deps.store.kind,
    store_state: storeState(deps.store.report?.()),
    upstream: deps.upstream,
    generation: token?.generation ?? null,
    token_id: token?.id ?? null,
    token_state: lastSeen.tokenState(),
    token_since: token?.since.toISOString() ?? null,
    expires_at: token?.expiresAt?.toISOString() ?? null,
    seconds_left: wholeOrNull(lastSeen.tokenSecondsLeft()),
    certificate_ends_at: isoTime(lastSeen.certificateEnd()),
    certificate_days_left: wholeOrNull(lastSeen.certificateDaysLeft()),
    in_flight: inFlight,
    queued,
    under_way: deps.underWay(),
    open_outcomes: open,
    oldest_open_outcome_seconds: oldestMs === undefined ? null : Math.floor(oldestMs / 1000),
    started_at: new Date(deps.startedAt).toISOString(),
    versions: { presto_sidecar: deps.version, node: process.versions.node },
  };
}

/** Null for none, and for one that could not be parsed. */
function isoTime(date: Date | undefined): string | null {
  return date === undefined || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function storeState(report: StoreReport | undefined): StoreState | null {
  if (report === undefined) return null;
  const { readAt, failure, watch } = report;
  return { watch, last_read_at: readAt?.toISOString() ?? null, failure };
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.floor(value);
}

/** What `/status` says of the address that calls leave from, in the names that it has there. Holds no secret: of a check URL only the host is told. */
export interface EgressStatus {
  /** As the check URLs saw it last; several where they differ, empty while unknown. */
  readonly addresses: readonly string[];
  /** Is it in PRESTO_EGRESS_IPS? Null while that can't be said. */
  readonly registered: boolean | null;
  /** Why calls are blocked; null while they are not. */
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

/** What `/status` says of the token's renewal, in the names that it has there. Times are ISO 8601. Holds no secret. */
export interface RenewalStatus {
  readonly state: string;
  /** False: `PRESTO_RENEW=manual`. */
  readonly automatic: boolean;
  /** The lock that renewals are done under. Holder: this process, or the one that it waits for (state `locking`); null while it does neither. */
  readonly lock: { readonly name: string; readonly holder: string | null; readonly ours: boolean };
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
  /** Why no token is issued by plan, since this machine's clock makes each new one due at once; null while that is not so. */
  readonly clock_wrong: string | null;
  /** Why nothing is issued by the record in the store, which was written for another object; null while that is not so. */
  readonly record_elsewhere: string | null;
}

export function renewalStatus(report: RenewalReport): RenewalStatus {
  const { lastEnd, stopped } = report;
  return {
    state: report.state,
    automatic: report.automatic,
    lock: report.lock,
    due_at: report.dueAt?.toISOString() ?? null,
    next_try_at: report.nextTryAt?.toISOString() ?? null,
    last_end:
      lastEnd === null ? null : { kind: lastEnd.kind, detail: lastEnd.detail, at: lastEnd.at.toISOString() },
    alarm: stopped === null ? null : { reason: stopped.reason, at: stopped.at.toISOString() },
    unexplained_deaths_24h: report.unexplainedDeaths,
    credentials_refused: report.credentialsRefused,
    clock_wrong: report.clockWrong,
    record_elsewhere: report.elsewhere,
  };
}
