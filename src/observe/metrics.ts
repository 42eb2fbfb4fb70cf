import { Counter, Gauge, Registry } from "prom-client";

import type { AuditReport } from "../audit/types.ts";
import type { Clock } from "../clock.ts";
import type { EgressReport } from "../egress-ip/observed.ts";
import type { RenewalReport } from "../renewal/types.ts";
import { StoreError, type StoreErrorCode } from "../store/contract.ts";
import type { Subscriber } from "./events.ts";
import type { LastSeen } from "./last-seen.ts";
import { createAuditMetrics } from "./metrics-audit.ts";
import { createCallMetrics } from "./metrics-calls.ts";
import { createEgressMetrics } from "./metrics-egress.ts";
import { createMoneyMetrics } from "./metrics-money.ts";
import { addReadGauge, createProcessMetrics } from "./metrics-process.ts";
import { createRenewalMetrics } from "./metrics-renewal.ts";

/** Present values that only other parts know. */
export interface Readings {
  /** Calls being sent, calls waiting, bytes of bodies and replies in memory. */
  load(): { readonly inFlight: number; readonly queued: number; readonly buffered: number };
  /** Log lines lost since the start. */
  logLinesLost(): number;
  /** Only in a role that issues. */
  readonly renewal?: () => RenewalReport;
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

/** `presto_sidecar_*`, in a registry of its own. A value that is not known yet is absent, not zero. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { operations, lastSeen, startedAt, clock } = options;
  const registry = new Registry();
  let readings: Readings | undefined;
  let countRenewal: Subscriber | undefined;
  let countAudit: Subscriber | undefined;

  const countCall = createCallMetrics(registry, operations);
  const close = createProcessMetrics(registry);
  const countEgress = createEgressMetrics({ registry, clock, report: () => readings?.egress?.() });
  const countMoney = createMoneyMetrics({ registry, summary: () => readings?.outcomes?.() });
  const countRest = createRestMetrics(registry);
  addReadings({ registry, lastSeen, startedAt, readings: () => readings });
  addBuildInfo(registry, options.version);

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
        countRenewal ??= createRenewalMetrics({ registry, clock, report: () => readings?.renewal?.() });
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    close,
  };
}

/** Counts what is told of tokens, stores, connections and latches, and the warnings. */
function createRestMetrics(registry: Registry): Subscriber {
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `presto_sidecar_${name}`, help, registers: [registry] });
  const tokenChanges = counter("token_changes_total", "How often another token came into hand.");
  const rejections = counter("token_rejections_total", "How often Presto answered 401 to a token.");
  const connectFailures = counter("connect_failures_total", "Connections to Presto that could not be made.");
  const refusedConnections = counter(
    "refused_connections_total",
    "Callers' connections that were closed at once, because as many were open as may be.",
  );
  const warnings = counter("warnings_total", "Warnings that were logged.");
  const storeFailures = new Counter({
    name: "presto_sidecar_store_failures_total",
    help: "Reads of the token store that failed, by code.",
    labelNames: ["code"],
    registers: [registry],
  });
  for (const code of storeCodes) storeFailures.inc({ code }, 0);
  const lastGood = new Gauge({
    name: "presto_sidecar_last_good_addresses",
    help: "Names for which no resolver answers, so that their last good addresses serve.",
    registers: [registry],
  });
  const latches = new Gauge({
    name: "presto_sidecar_latch_closed",
    help: "1 while a readiness latch is closed; the sidecar is ready when none is.",
    labelNames: ["latch"],
    registers: [registry],
  });

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

interface ReadingsDeps {
  readonly registry: Registry;
  readonly lastSeen: LastSeen;
  /** Wall clock of the start, milliseconds since 1970. */
  readonly startedAt: number;
  readonly readings: () => Readings | undefined;
}

/** Shows present values, read when somebody asks. */
function addReadings({ registry, lastSeen, startedAt, readings }: ReadingsDeps): void {
  const gauge = (name: string, help: string, read: () => number | undefined): void =>
    addReadGauge(registry, `presto_sidecar_${name}`, help, read);

  gauge("in_flight_calls", "Calls being sent.", () => readings()?.load().inFlight);
  gauge("queued_calls", "Calls waiting for their turn, held ones too.", () => readings()?.load().queued);
  gauge("buffered_bytes", "Bytes of bodies and replies in memory.", () => readings()?.load().buffered);
  gauge("token_generation", "Generation of the token in hand.", () => lastSeen.token()?.generation);
  gauge("token_refused", "1 while Presto's last word on the token in hand is 401; absent without one.", () =>
    lastSeen.tokenState() === "none" ? undefined : Number(lastSeen.tokenState() === "refused"),
  );
  gauge("token_seconds_left", "Seconds until the token in hand ends; absent while unknown.", () =>
    lastSeen.tokenSecondsLeft(),
  );
  gauge(
    "certificate_days_left",
    "Days until the certificate that Presto showed last ends; absent while none was seen.",
    () => lastSeen.certificateDaysLeft(),
  );
  gauge("start_time_seconds", "When the process started, in seconds since 1970.", () => startedAt / 1000);
  const lost: Counter = new Counter({
    name: "presto_sidecar_log_lines_lost_total",
    help: "Log lines that were lost because nobody read them, or they could not be written.",
    registers: [registry],
    collect() {
      lost.reset();
      lost.inc(readings()?.logLinesLost() ?? 0);
    },
  });
}

function addBuildInfo(registry: Registry, version: string): void {
  const build = new Gauge({
    name: "presto_sidecar_build_info",
    help: "1, labelled with versions.",
    labelNames: ["version", "node_version"],
    registers: [registry],
  });
  build.set({ version, node_version: process.version }, 1);
}
