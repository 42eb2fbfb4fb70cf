import { Counter, Gauge, type Registry } from "prom-client";

import type { Clock } from "../clock.ts";
import { egressVerdicts } from "../egress-ip/classify.ts";
import type { EgressReport } from "../egress-ip/observed.ts";
import type { Subscriber } from "./events.ts";
import { addReadGauge } from "./metrics-process.ts";

export interface EgressMetricsOptions {
  readonly registry: Registry;
  readonly clock: Pick<Clock, "now">;
  /** Undefined while nobody can say. */
  readonly report: () => EgressReport | undefined;
}

/** Counts the questions to check URLs, and shows how this process stands with Presto. The addresses themselves are on `/status`: as labels they would never end. */
export function createEgressMetrics({ registry, clock, report }: EgressMetricsOptions): Subscriber {
  const registers = [registry];
  const checks: Counter<"check_url" | "end"> = new Counter({
    name: "presto_sidecar_egress_checks_total",
    help: "Questions to a check URL, by how they ended. One that failed closes nothing.",
    labelNames: ["check_url", "end"],
    registers,
    collect() {
      // A counter that begins at its first event hides that event from rate().
      for (const { host } of report()?.checkUrls ?? [])
        for (const end of ["answered", "failed"]) checks.inc({ check_url: host, end }, 0);
    },
  });
  const closures = new Counter({
    name: "presto_sidecar_egress_closures_total",
    help: "How often calls began to be kept back because they would leave from an address that is not registered.",
    registers,
  });
  const verdict: Gauge<"verdict"> = new Gauge({
    name: "presto_sidecar_egress_verdict",
    help: "1 for what the last exchanges with Presto show, 0 for the rest.",
    labelNames: ["verdict"],
    registers,
    collect() {
      const present = report()?.verdict;
      if (present === undefined) verdict.reset();
      else for (const each of egressVerdicts) verdict.set({ verdict: each }, Number(each === present));
    },
  });
  gauge(
    "registered",
    "1 while the address that calls leave from is in PRESTO_EGRESS_IPS, 0 while it is not; absent while unknown.",
    ({ registered }) => (registered === null ? undefined : Number(registered)),
  );
  gauge(
    "closed",
    "1 while calls are kept back because they would leave from an address that is not registered.",
    ({ closed }) => Number(closed !== null),
  );
  gauge(
    "check_age_seconds",
    "Seconds since the check URLs were asked last; absent before the first time.",
    ({ checkedAt }) => (checkedAt === null ? undefined : (clock.now() - checkedAt.getTime()) / 1000),
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

  function gauge(name: string, help: string, read: (given: EgressReport) => number | undefined): void {
    addReadGauge(registry, `presto_sidecar_egress_${name}`, help, () => {
      const given = report();
      return given === undefined ? undefined : read(given);
    });
  }
}
