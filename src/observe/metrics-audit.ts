import type { Registry } from "prom-client";

import { formatHead } from "../audit/line.ts";
import type { AuditReport } from "../audit/types.ts";
import type { Subscriber } from "./events.ts";
import { createMetricMaker, type MetricRows, readingOf } from "./metric-rows.ts";

export const auditMetricRows = {
  presto_sidecar_audit_available: {
    type: "gauge",
    help: "1 while the record of money calls can be written.",
    watch:
      "0: with `PRESTO_AUDIT_FULL=refuse` calls that move money get 503 `audit-unavailable`. Make room on the disk; the log says why.",
  },
  presto_sidecar_audit_failures_total: {
    type: "counter",
    help: "How often the record of money calls could not be written any more.",
    watch: "Grows: look at the disk of `PRESTO_AUDIT` before it is full for good.",
  },
  presto_sidecar_audit_interferences_total: {
    type: "counter",
    help: "How often the record's file was removed, renamed or changed by somebody else.",
    watch: "Grows: find out who touches the record (a log rotation, a person), and keep the old files.",
  },
  presto_sidecar_audit_seq: {
    type: "gauge",
    help: "Number of the last line of the record that is durable.",
    watch: "Stands still while money calls come: as for `presto_sidecar_audit_available`.",
  },
  presto_sidecar_audit_file: {
    type: "gauge",
    help: "Number of the record's present file; 0 for standard output.",
    watch: "Grows: a file is full or was touched. Ship the ones before it away.",
  },
  presto_sidecar_audit_open_calls: {
    type: "gauge",
    help: "Money calls in the record of which it is not known what became of them, those under way included.",
    watch: "Does not come back to 0: see `presto-sidecar outcomes`.",
  },
  presto_sidecar_audit_lost_lines_total: {
    type: "counter",
    help: "Lines that were lost because the record could not be written for too long.",
    watch: "Grows: the record has a hole. Keep the log of that time, which has a line for each call.",
  },
  presto_sidecar_audit_head_info: {
    type: "gauge",
    labels: ["head"],
    help: "1, labelled with the head of the record's chain (SEQ:HASH), as it was last logged.",
    watch:
      "Keep it where this machine can't change it: `presto-sidecar audit verify --head` proves the record by it.",
  },
} as const satisfies MetricRows;

/** How the record of money calls stands; only where one is kept. */
export function createAuditMetrics(registry: Registry, report: () => AuditReport | undefined): Subscriber {
  const make = createMetricMaker(registry, auditMetricRows);
  const failures = make.counter("presto_sidecar_audit_failures_total");
  const interferences = make.counter("presto_sidecar_audit_interferences_total");
  const of = readingOf(report);
  make.readGauge(
    "presto_sidecar_audit_available",
    of(({ available }) => Number(available)),
  );
  make.readGauge(
    "presto_sidecar_audit_seq",
    of(({ head }) => head.seq),
  );
  make.readGauge(
    "presto_sidecar_audit_file",
    of(({ file }) => file),
  );
  make.readGauge(
    "presto_sidecar_audit_open_calls",
    of(({ open }) => open),
  );
  make.readCounter(
    "presto_sidecar_audit_lost_lines_total",
    of(({ lost }) => lost),
  );
  make.gauge("presto_sidecar_audit_head_info", (head) => {
    head.reset();
    const told = report()?.told;
    if (told !== undefined) head.set({ head: formatHead(told) }, 1);
  });

  return (event) => {
    if (event.type === "audit-interfered") interferences.inc();
    else if (event.type === "audit-availability" && event.unavailable !== undefined) failures.inc();
  };
}
