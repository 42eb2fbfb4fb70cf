import { Registry } from "prom-client";

import type { AuditReport } from "../audit/types.ts";
import type { Clock } from "../clock.ts";
import type { EgressReport } from "../egress-ip/observed.ts";
import type { RenewalReport } from "../renewal/types.ts";
import { StoreError, type StoreErrorCode, type StoreReport } from "../store/contract.ts";
import type { Subscriber } from "./events.ts";
import type { LastSeen } from "./last-seen.ts";
import { createMetricMaker, type MetricMaker, type MetricRows, timestamp } from "./metric-rows.ts";
import { createAuditMetrics } from "./metrics-audit.ts";
import { createCallMetrics } from "./metrics-calls.ts";
import { createEgressMetrics } from "./metrics-egress.ts";
import { createMoneyMetrics } from "./metrics-money.ts";
import { createProcessMetrics } from "./metrics-process.ts";
import { createRenewalMetrics } from "./metrics-renewal.ts";

export const generalMetricRows = {
  presto_sidecar_in_flight_calls: {
    type: "gauge",
    help: "Calls being sent.",
    watch: "Stays at `PRESTO_MAX_IN_FLIGHT`: Presto is slow, or the apps want more than it takes.",
  },
  presto_sidecar_queued_calls: {
    type: "gauge",
    help: "Calls waiting for their turn, held ones too.",
    watch: "Grows: as above, or there is no token that works.",
  },
  presto_sidecar_buffered_bytes: {
    type: "gauge",
    help: "Bytes of bodies and replies in memory.",
    watch:
      "Nears `PRESTO_MAX_BUFFERED`: calls get 503 `overloaded`. Fewer large replies at one time, or a larger bound.",
  },
  presto_sidecar_token_generation: {
    type: "gauge",
    help: "Generation of the token in hand.",
    watch:
      "Differs between pods for longer than a minute: one does not follow the store. See `store_state` on its `/status`.",
  },
  presto_sidecar_token_refused: {
    type: "gauge",
    help: "1 while Presto's last word on the token in hand is 401; absent without one.",
    watch:
      "1 for longer than a minute: the token was revoked or has expired, and no newer one came. See the rotator.",
  },
  presto_sidecar_token_expiry_timestamp_seconds: {
    type: "gauge",
    help: "When the token in hand ends, in seconds since 1970; absent while unknown.",
    watch:
      "Within two weeks: the renewal is late, see `presto_sidecar_renewal_due_timestamp_seconds`. Without a rotator: import a new one.",
  },
  presto_sidecar_certificate_expiry_timestamp_seconds: {
    type: "gauge",
    help: "When the certificate that Presto showed last ends, in seconds since 1970; absent while none was seen.",
    watch: "Within a week: tell Presto.",
  },
  presto_sidecar_token_changes_total: {
    type: "counter",
    help: "How often another token came into hand.",
    watch:
      "More often than renewals are due: somebody issues or imports tokens. Look for `audit` lines in the log.",
  },
  presto_sidecar_token_rejections_total: {
    type: "counter",
    help: "How often Presto answered 401 to a token.",
    watch: "Grows beside renewals: as for `presto_sidecar_token_refused`.",
  },
  presto_sidecar_store_failures_total: {
    type: "counter",
    labels: ["code"],
    help: "Reads of the token store that failed, by code.",
    watch:
      "Grows: the token in hand serves on, and nobody hears of a newer one. `presto-sidecar doctor` has the mend.",
  },
  presto_sidecar_store_watch_live: {
    type: "gauge",
    help: "1 while the store tells of changes, 0 while it is only polled; absent where it has no watch.",
    watch:
      "0 for longer than some minutes: a new token arrives seconds late. `presto-sidecar doctor` names the right that is missing, or the server.",
  },
  presto_sidecar_connect_failures_total: {
    type: "counter",
    help: "Connections to Presto that could not be made.",
    watch: "Grows: name, route, egress proxy or certificate; the log's line says which.",
  },
  presto_sidecar_refused_connections_total: {
    type: "counter",
    help: "Callers' connections that were closed at once, because as many were open as may be.",
    watch: "Grows: a caller keeps too many connections, or `process_max_fds` is low.",
  },
  presto_sidecar_last_good_addresses: {
    type: "gauge",
    help: "Names for which no resolver answers, so that their last good addresses serve.",
    watch: "Not 0: DNS is down. Calls go on until Presto moves.",
  },
  presto_sidecar_latch_closed: {
    type: "gauge",
    labels: ["latch"],
    help: "1 while a condition of readiness does not hold; the sidecar is ready when all of them are 0.",
    watch: "1: `/readyz?verbose` says why, in a sentence.",
  },
  presto_sidecar_alarm_latched: {
    type: "gauge",
    help: "1 while the alarm is latched by the record that this process reads; only in role proxy, see presto_sidecar_renewal_stopped for the others.",
    watch: "1: as for `presto_sidecar_renewal_stopped`. The token in hand goes on serving while it lives.",
  },
  presto_sidecar_warnings_total: {
    type: "counter",
    help: "Warnings that were logged.",
    watch: "Grows: read them.",
  },
  presto_sidecar_log_lines_lost_total: {
    type: "counter",
    help: "Log lines that were lost because nobody read them, or they could not be written.",
    watch: "Grows: whatever reads standard output is too slow, or its disk is full.",
  },
  presto_sidecar_build_info: {
    type: "gauge",
    labels: ["version", "node_version"],
    help: "1, labelled with versions.",
    watch: "Differs between pods after a rollout: it has not ended.",
  },
} as const satisfies MetricRows;

type GeneralMetricMaker = MetricMaker<keyof typeof generalMetricRows>;

/** Present values that only other parts know. */
export interface Readings {
  /** Calls being sent, calls waiting, bytes of bodies and replies in memory. */
  load(): { readonly inFlight: number; readonly queued: number; readonly buffered: number };
  /** Log lines lost since the start. */
  logLinesLost(): number;
  /** How following the store goes; undefined where that can't be said. */
  readonly store?: () => StoreReport | undefined;
  /** Only in a role that issues. */
  readonly renewal?: () => RenewalReport;
  /** Only in a role that issues nothing: is the alarm latched? Undefined before the first record. */
  readonly alarm?: () => boolean | undefined;
  /** Only where egress is watched. */
  readonly egress?: () => EgressReport;
  /** Calls that move money whose end is not known. */
  readonly outcomes?: () => { readonly open: number; readonly oldestMs: number | undefined };
  /** Only where a record of money calls is kept. */
  readonly audit?: () => AuditReport;
}

export interface MetricsOptions {
  /** Names of the operations in the table; others are counted as `none`. */
  readonly operations: readonly string[];
  readonly lastSeen: LastSeen;
  /** This program's version. */
  readonly version: string;
  /** Wall clock of the start, milliseconds since 1970. */
  readonly startedAt: number;
  readonly clock: Clock;
}

export interface Metrics {
  readonly count: Subscriber;
  /** Where the present values come from, once their parts exist; until then they are absent. */
  measure(readings: Readings): void;
  /** The Prometheus text format, and its media type. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Ends the watch over the event loop. */
  close(): void;
}

const storeCodes = [
  "unreadable",
  "unreachable",
  "refused",
  "wrong-key",
  "damaged",
  "newer-schema",
  "not-yet",
  "bad-token",
  "bad-credentials",
  "other",
] as const satisfies readonly (StoreErrorCode | "other")[];

/** `presto_sidecar_*` and `process_*`, in a registry of its own. A value that is not known yet is absent, not zero. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { operations, lastSeen, startedAt, clock } = options;
  const registry = new Registry();
  let readings: Readings | undefined;
  let countRenewal: Subscriber | undefined;
  let countAudit: Subscriber | undefined;

  const make = createMetricMaker(registry, generalMetricRows);
  const countCall = createCallMetrics(registry, operations);
  const close = createProcessMetrics(registry, startedAt);
  const countEgress = createEgressMetrics({ registry, report: () => readings?.egress?.() });
  const countMoney = createMoneyMetrics({ registry, clock, summary: () => readings?.outcomes?.() });
  const countRest = createRestMetrics(make);
  addReadings(make, lastSeen, () => readings);
  make.gauge("presto_sidecar_build_info").set({ version: options.version, node_version: process.version }, 1);

  return {
    count(event) {
      if (event.type === "call-finished") {
        countCall(event);
        return;
      }
      countRest(event);
      countEgress(event);
      countMoney(event);
      countRenewal?.(event);
      countAudit?.(event);
    },
    measure(given) {
      readings = given;
      if (given.audit !== undefined) countAudit ??= createAuditMetrics(registry, () => readings?.audit?.());
      // A role that can't issue has no such metric, not even zeros.
      if (given.renewal !== undefined)
        countRenewal ??= createRenewalMetrics({ registry, report: () => readings?.renewal?.() });
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    close,
  };
}

/** Counts what is told of tokens, stores, connections and latches, and the warnings. */
function createRestMetrics(make: GeneralMetricMaker): Subscriber {
  const tokenChanges = make.counter("presto_sidecar_token_changes_total");
  const rejections = make.counter("presto_sidecar_token_rejections_total");
  const connectFailures = make.counter("presto_sidecar_connect_failures_total");
  const refusedConnections = make.counter("presto_sidecar_refused_connections_total");
  const warnings = make.counter("presto_sidecar_warnings_total");
  const storeFailures = make.counter("presto_sidecar_store_failures_total");
  for (const code of storeCodes) storeFailures.inc({ code }, 0);
  const lastGood = make.gauge("presto_sidecar_last_good_addresses");
  const latches = make.gauge("presto_sidecar_latch_closed");

  return (event) => {
    switch (event.type) {
      case "token-changed":
        tokenChanges.inc();
        break;
      case "token-rejected":
        rejections.inc();
        break;
      case "store-failed":
        storeFailures.inc({ code: event.error instanceof StoreError ? event.error.code : "other" });
        break;
      case "connect-failed":
        connectFailures.inc();
        break;
      case "connection-refused":
        refusedConnections.inc();
        break;
      case "last-good-addresses":
        lastGood.inc(event.serving ? 1 : -1);
        break;
      case "latch-changed":
        latches.set({ latch: event.name }, event.reason === undefined ? 0 : 1);
        break;
      case "warning":
        warnings.inc();
        break;
      default:
    }
  };
}

/** Shows present values, read when somebody asks. */
function addReadings(
  make: GeneralMetricMaker,
  lastSeen: LastSeen,
  readings: () => Readings | undefined,
): void {
  make.readGauge("presto_sidecar_in_flight_calls", () => readings()?.load().inFlight);
  make.readGauge("presto_sidecar_queued_calls", () => readings()?.load().queued);
  make.readGauge("presto_sidecar_buffered_bytes", () => readings()?.load().buffered);
  make.readGauge("presto_sidecar_store_watch_live", () => {
    const watch = readings()?.store?.()?.watch ?? null;
    return watch === null ? undefined : Number(watch === "live");
  });
  make.readGauge("presto_sidecar_alarm_latched", () => {
    const isLatched = readings()?.alarm?.();
    return isLatched === undefined ? undefined : Number(isLatched);
  });
  make.readGauge("presto_sidecar_token_generation", () => lastSeen.token()?.generation);
  make.readGauge("presto_sidecar_token_refused", () =>
    lastSeen.tokenState() === "none" ? undefined : Number(lastSeen.tokenState() === "refused"),
  );
  make.readGauge("presto_sidecar_token_expiry_timestamp_seconds", () =>
    timestamp(lastSeen.token()?.expiresAt),
  );
  make.readGauge("presto_sidecar_certificate_expiry_timestamp_seconds", () =>
    timestamp(lastSeen.certificateEnd()),
  );
  make.readCounter("presto_sidecar_log_lines_lost_total", () => readings()?.logLinesLost());
}
