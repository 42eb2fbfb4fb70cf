import { Counter, Gauge, type Registry } from "prom-client";

import { formatHead } from "../audit/line.ts";
import type { AuditReport } from "../audit/types.ts";
import type { Subscriber } from "./events.ts";
import { addReadGauge } from "./metrics-process.ts";

/** How the record of money calls stands; only where one is kept. */
export function createAuditMetrics(registry: Registry, report: () => AuditReport | undefined): Subscriber {
  const registers = [registry];
  const failures = new Counter({
    name: "presto_sidecar_audit_failures_total",
    help: "How often the record of money calls could not be written any more.",
    registers,
  });
  const interferences = new Counter({
    name: "presto_sidecar_audit_interferences_total",
    help: "How often the record's file was removed, renamed or changed by somebody else.",
    registers,
  });
  const gauge = (name: string, help: string, read: (given: AuditReport) => number): void =>
    addReadGauge(registry, `presto_sidecar_audit_${name}`, help, () => {
      const given = report();
      return given === undefined ? undefined : read(given);
    });
  gauge("available", "1 while the record of money calls can be written.", ({ available }) =>
    Number(available),
  );
  gauge("seq", "Number of the last line of the record that is durable.", ({ head }) => head.seq);
  gauge("file", "Number of the record's present file; 0 for standard output.", ({ file }) => file);
  gauge(
    "open_calls",
    "Money calls in the record of which it is not known what became of them, those under way included.",
    ({ open }) => open,
  );
  gauge(
    "lines_lost",
    "Lines that were lost because the record could not be written for too long.",
    ({ lost }) => lost,
  );
  const head: Gauge<"head"> = new Gauge({
    name: "presto_sidecar_audit_head_info",
    help: "1, labelled with the head of the record's chain (SEQ:HASH), as it was last logged: for `audit verify --head`.",
    labelNames: ["head"],
    registers,
    collect() {
      head.reset();
      const told = report()?.told;
      if (told !== undefined) head.set({ head: formatHead(told) }, 1);
    },
  });

  return (event) => {
    if (event.type === "audit-interfered") interferences.inc();
    else if (event.type === "audit-availability" && event.unavailable !== undefined) failures.inc();
  };
}
