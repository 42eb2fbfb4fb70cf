import type { EgressReport } from "../egress-ip/observed.ts";
import type { RenewalReport } from "../renewal/types.ts";
import { egressStatus, type EgressStatus } from "./egress-status.ts";
import type { Latch } from "./readiness.ts";
import { renewalStatus, type RenewalStatus } from "./renewal-status.ts";

/** What `/status` says, in the names that it has there. Holds no secret. Null: not known (yet). */
export interface StatusReport {
  readonly role: string;
  /** Kind of the token store. */
  readonly store: string;
  /** Origin that calls go to. */
  readonly upstream: string;
  readonly generation: number | null;
  /** Fingerprint of the token in hand. */
  readonly token_id: string | null;
  /** `refused`: Presto's last word on that token is 401. Readiness does not follow it: a 401 can lie. */
  readonly token_state: "none" | "in use" | "refused";
  /** ISO 8601. */
  readonly expires_at: string | null;
  readonly seconds_left: number | null;
  readonly certificate_days_left: number | null;
  /** Calls being sent, and calls waiting. */
  readonly in_flight: number;
  readonly queued: number;
  /** ISO 8601. */
  readonly started_at: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** A latch, as `/status` says it. */
interface LatchStatus {
  readonly closed: boolean;
  readonly reason: string | null;
  /** True: readiness does not follow it. */
  readonly advisory: boolean;
}

/** The report as it goes out: with the latches in it, and with what is known of the token's renewal and of the way out. */
export type FullReport = StatusReport & {
  readonly ready: boolean;
  /** Null in a role that issues nothing. */
  readonly renewal: RenewalStatus | null;
  /** Null where the way out is not watched. */
  readonly egress: EgressStatus | null;
  readonly latches: Readonly<Record<string, LatchStatus>>;
};

/**
 * @param renewal undefined in a role that issues nothing
 * @param egress undefined where the way out is not watched
 */
export function fullReport(
  report: StatusReport,
  latches: readonly Latch[],
  renewal: RenewalReport | undefined,
  egress?: EgressReport,
): FullReport {
  return {
    ready: latches.every((latch) => latch.advisory || !latch.closed),
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
