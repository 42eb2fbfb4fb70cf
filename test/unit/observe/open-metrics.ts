import { onTestFinished } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createLastSeen } from "../../../src/observe/last-seen.ts";
import { createMetrics, type Metrics, type MetricsOptions } from "../../../src/observe/metrics.ts";

/** Metrics of no operation, unless told otherwise; closed when the test has ended. */
export function openMetrics(options: Partial<MetricsOptions> = {}): Metrics {
  const { clock = systemClock } = options;
  const metrics = createMetrics({
    operations: [],
    lastSeen: createLastSeen(clock),
    version: "1.2.3",
    startedAt: 0,
    clock,
    ...options,
  });
  onTestFinished(() => metrics.close());
  return metrics;
}
