import type { Registry } from "prom-client";

import { egressVerdicts } from "../egress-ip/classify.ts";
import type { EgressReport } from "../egress-ip/observed.ts";
import type { Subscriber } from "./events.ts";
import { createMetricMaker, type MetricRows, readingOf, timestamp } from "./metric-rows.ts";

export const egressMetricRows = {
  presto_sidecar_egress_checks_total: {
    type: "counter",
    labels: ["check_url", "end"],
    help: "Questions to a check URL, by how they ended. One that failed closes nothing.",
    watch:
      "Only `failed` grows for one URL: it is gone, or our way to it. Two that answer are needed to see a wrong address.",
  },
  presto_sidecar_egress_closures_total: {
    type: "counter",
    help: "How often calls began to be kept back because they would leave from an address that is not registered.",
    watch:
      "Grows: a NAT gateway or a proxy was changed. Register the address on `/status`, or mend the way out.",
  },
  presto_sidecar_egress_verdict: {
    type: "gauge",
    labels: ["verdict"],
    help: "1 for what the last exchanges with Presto show, 0 for the rest.",
    watch: "`not-registered`: as above. `dead-token`: see the token. `partner-outage`: ask Presto.",
  },
  presto_sidecar_egress_registered: {
    type: "gauge",
    help: "1 while the address that calls leave from is in PRESTO_EGRESS_IPS, 0 while it is not; absent while unknown.",
    watch: "0: compare the address on `/status` with the list, and with what Presto has registered.",
  },
  presto_sidecar_egress_closed: {
    type: "gauge",
    help: "1 while calls are kept back because they would leave from an address that is not registered.",
    watch: "1: callers get 503 `egress-not-registered`. `presto-sidecar doctor` says which address was seen.",
  },
  presto_sidecar_egress_check_timestamp_seconds: {
    type: "gauge",
    help: "When the check URLs were asked last, in seconds since 1970; absent before the first time.",
    watch: "Much older than the rest of its kind: the process hangs, or was paused.",
  },
} as const satisfies MetricRows;

export interface EgressMetricsOptions {
  readonly registry: Registry;
  /** Undefined while nobody can say. */
  readonly report: () => EgressReport | undefined;
}

/** Counts the questions to check URLs, and shows how this process stands with Presto. The addresses themselves are on `/status`: as labels they would never end. */
export function createEgressMetrics({ registry, report }: EgressMetricsOptions): Subscriber {
  const make = createMetricMaker(registry, egressMetricRows);
  const checks = make.counter("presto_sidecar_egress_checks_total", (counter) => {
    // A counter that begins at its first event hides that event from rate().
    for (const { host } of report()?.checkUrls ?? [])
      for (const end of ["answered", "failed"]) counter.inc({ check_url: host, end }, 0);
  });
  const closures = make.counter("presto_sidecar_egress_closures_total");
  const of = readingOf(report);
  make.gauge("presto_sidecar_egress_verdict", (verdict) => {
    const present = report()?.verdict;
    if (present === undefined) verdict.reset();
    else for (const each of egressVerdicts) verdict.set({ verdict: each }, Number(each === present));
  });
  make.readGauge(
    "presto_sidecar_egress_registered",
    of(({ registered }) => (registered === null ? undefined : Number(registered))),
  );
  make.readGauge(
    "presto_sidecar_egress_closed",
    of(({ closed }) => Number(closed !== null)),
  );
  make.readGauge(
    "presto_sidecar_egress_check_timestamp_seconds",
    of(({ checkedAt }) => timestamp(checkedAt)),
  );
  let isClosed = false;

  return (event) => {
    switch (event.type) {
      case "egress-checked":
        checks.inc({ check_url: event.name, end: event.error === undefined ? "answered" : "failed" });
        break;
      case "egress-latch-changed":
        // It is told anew when the address changes while it is closed.
        if (event.reason !== undefined && !isClosed) closures.inc();
        isClosed = event.reason !== undefined;
        break;
      default:
    }
  };
}
