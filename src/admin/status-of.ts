import type { LastSeen } from "../observe/last-seen.ts";
import type { StatusReport } from "./status-report.ts";

export interface StatusParts {
  readonly role: string;
  readonly store: string;
  readonly upstream: string;
  readonly lastSeen: LastSeen;
  readonly load: () => { readonly inFlight: number; readonly queued: number };
  readonly version: string;
  /** Wall clock of the start, milliseconds since 1970. */
  readonly startedAt: number;
}

/** What `/status` says at this moment. */
export function statusOf(parts: StatusParts): StatusReport {
  const { lastSeen } = parts;
  const token = lastSeen.token();
  const { inFlight, queued } = parts.load();
  return {
    role: parts.role,
    store: parts.store,
    upstream: parts.upstream,
    generation: token?.generation ?? null,
    token_id: token?.id ?? null,
    token_state: lastSeen.tokenState(),
    expires_at: token?.expiresAt?.toISOString() ?? null,
    seconds_left: wholeOrNull(lastSeen.tokenSecondsLeft()),
    certificate_days_left: wholeOrNull(lastSeen.certificateDaysLeft()),
    in_flight: inFlight,
    queued,
    started_at: new Date(parts.startedAt).toISOString(),
    versions: { presto_sidecar: parts.version, node: process.versions.node },
  };
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.floor(value);
}
