import type { MetricRows } from "../src/observe/metric-rows.ts";
import { auditMetricRows } from "../src/observe/metrics-audit.ts";
import { callMetricRows } from "../src/observe/metrics-calls.ts";
import { egressMetricRows } from "../src/observe/metrics-egress.ts";
import { moneyMetricRows } from "../src/observe/metrics-money.ts";
import { processMetricRows } from "../src/observe/metrics-process.ts";
import { renewalMetricRows } from "../src/observe/metrics-renewal.ts";
import { generalMetricRows } from "../src/observe/metrics.ts";

/** The tables of docs/metrics.md, by the name of their place there. */
export const metricTables: Readonly<Record<string, MetricRows>> = {
  "metrics-calls": callMetricRows,
  "metrics-general": generalMetricRows,
  "metrics-money": moneyMetricRows,
  "metrics-renewal": renewalMetricRows,
  "metrics-egress": egressMetricRows,
  "metrics-audit": auditMetricRows,
  "metrics-process": processMetricRows,
};

export const metricHead = ["metric", "type, labels", "is", "look at it when"] as const;

export function metricCells(rows: MetricRows): (readonly string[])[] {
  return Object.entries(rows).map(([name, { type, labels = [], help, watch }]) => [
    `\`${name}\``,
    [type, ...labels.map((label) => `\`${label}\``)].join(", "),
    help,
    watch,
  ]);
}
