import type { Latch } from "./readiness.ts";

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

/** The report with the latches in it, as it goes out. */
export type FullReport = StatusReport & {
  readonly ready: boolean;
  readonly latches: Readonly<Record<string, { readonly closed: boolean; readonly reason: string | null }>>;
};

export function withLatches(report: StatusReport, latches: readonly Latch[]): FullReport {
  return {
    ready: latches.every((latch) => !latch.closed),
    ...report,
    latches: Object.fromEntries(
      latches.map((latch) => [
        latch.name,
        { closed: latch.closed, reason: latch.closed ? latch.reason : null },
      ]),
    ),
  };
}
