import { Histogram, type Registry } from "prom-client";

import { type Outcome, problems } from "../errors.ts";
import { STATUS_CODES } from "../lib/node-http.ts";
import type { CallFinished } from "../upstream/call.ts";
import { createMetricMaker, type MetricMaker, type MetricRow, type MetricRows } from "./metric-rows.ts";

const callLabels = ["operation", "status", "outcome"] as const;

export const callMetricRows = {
  presto_sidecar_calls_total: {
    type: "counter",
    labels: callLabels,
    help: "Finished calls. Status 0: the caller had gone before it was answered.",
    watch:
      '`outcome="unknown"` of `wallet.confirm` grows: money may have moved, see `presto-sidecar outcomes`. Status 5xx with `outcome="answered"`: Presto fails.',
  },
  presto_sidecar_call_duration_seconds: {
    type: "histogram",
    labels: callLabels,
    help: "Time from a call's head to its reply's last byte.",
    watch:
      "Grows while the next one does not: calls wait here. See `presto_sidecar_queued_calls` and the token.",
  },
  presto_sidecar_upstream_duration_seconds: {
    type: "histogram",
    labels: ["operation"],
    help: "Time that a call spent in exchanges with Presto. Calls that were not sent are not in it.",
    watch: "Grows: Presto, or the way there, is slow.",
  },
  presto_sidecar_sends_total: {
    type: "counter",
    help: "Requests sent to Presto; more than the calls where some were sent again after a 401, or a query over a fresh connection.",
    watch: "Grows faster than the calls: tokens are refused, or kept connections end early.",
  },
  presto_sidecar_callers_gone_total: {
    type: "counter",
    help: "Calls whose caller closed its connection before it was answered.",
    watch: "Grows: apps give up earlier than `PRESTO_TIMEOUT`. Give them more time, or this less.",
  },
  presto_sidecar_problems_total: {
    type: "counter",
    labels: ["code"],
    help: "Replies that the sidecar made itself, by code.",
    watch: "Any code grows: the table of codes says what each means and what to do.",
  },
} as const satisfies MetricRows;

type CallMetricMaker = MetricMaker<keyof typeof callMetricRows>;

/** Seconds: from a loopback answer to the longest time-out that anybody sets. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];

/** What one kind of call adds to. */
interface Series {
  readonly labels: { readonly operation: string; readonly status: string; readonly outcome: Outcome };
  readonly durations: Durations;
  /** Shared by all kinds of one operation. */
  readonly upstream: Durations;
}

/**
 * Counts finished calls. Labels are bounded: operations to those given here (others count as
 * `none`), statuses to the registered ones (others count as `other`: an answer of Presto's can
 * have any three digits). What is counted for each call are numbers of our own, of which
 * prom-client's are made when somebody asks.
 * @param operations names of the operations in the table
 */
export function createCallMetrics(
  registry: Registry,
  operations: readonly string[],
): (call: CallFinished) => void {
  const make = createMetricMaker(registry, callMetricRows);
  const all = createAllSeries(operations);
  addDurations(registry, make, operations, all);
  let sendCount = 0;
  make.readCounter("presto_sidecar_sends_total", () => sendCount);
  const gone = make.counter("presto_sidecar_callers_gone_total");
  const ownReplies = make.counter("presto_sidecar_problems_total");
  // A counter that begins at its first event hides that event from rate().
  for (const code of Object.keys(problems)) ownReplies.inc({ code }, 0);

  return (call) => {
    const of = all.of(call);
    of.durations.add(call.totalMs / 1000);
    if (call.sends > 0) {
      of.upstream.add(call.upstreamMs / 1000);
      sendCount += call.sends;
    }
    if (call.callerGone) gone.inc();
    if (call.code !== undefined) ownReplies.inc({ code: call.code in problems ? call.code : "other" });
  };
}

/** Every series that there is so far. */
interface AllSeries {
  /** Where a call counts. */
  of(call: CallFinished): Series;
  readonly list: readonly Series[];
  /** By operation. */
  readonly upstream: ReadonlyMap<string, Durations>;
}

function createAllSeries(operations: readonly string[]): AllSeries {
  const known = new Set(operations);
  const kept = new Map<string, Map<Outcome, Map<number, Series>>>();
  const list: Series[] = [];
  const upstream = new Map<string, Durations>();

  return {
    of(call) {
      const { outcome } = call;
      const operation = known.has(call.operation) ? call.operation : "none";
      const status = bounded(call.status);
      const byOutcome = entry(kept, operation, () => new Map<Outcome, Map<number, Series>>());
      const byStatus = entry(byOutcome, outcome, () => new Map<number, Series>());
      return entry(byStatus, status, () => {
        const label = status === otherStatus ? "other" : String(status);
        const made: Series = {
          labels: { operation, status: label, outcome },
          durations: new Durations(buckets),
          upstream: entry(upstream, operation, () => new Durations(buckets)),
        };
        list.push(made);
        return made;
      });
    },
    list,
    upstream,
  };
}

/**
 * How calls mostly end, and how they fail. A counter that begins at its first event hides that event from rate(),
 * and the first call that fails is what a ratio of errors is for.
 */
const awaitedEnds: readonly Omit<Series["labels"], "operation">[] = [
  { status: "200", outcome: "answered" },
  ...["500", "502", "503", "504", "other"].map((status) => ({ status, outcome: "answered" as const })),
  ...["500", "502", "504"].map((status) => ({ status, outcome: "unknown" as const })),
  ...["500", "502", "503", "504"].map((status) => ({ status, outcome: "not-sent" as const })),
];

/** Shows what is in the series when somebody asks. */
function addDurations(
  registry: Registry,
  make: CallMetricMaker,
  operations: readonly string[],
  { list, upstream }: AllSeries,
): void {
  make.counter("presto_sidecar_calls_total", (calls) => {
    calls.reset();
    for (const operation of operations) for (const end of awaitedEnds) calls.inc({ operation, ...end }, 0);
    for (const { labels, durations } of list) calls.inc(labels, durations.count);
  });
  void new DurationsMetric({
    name: "presto_sidecar_call_duration_seconds",
    row: callMetricRows.presto_sidecar_call_duration_seconds,
    registry,
    read: () => list.map(({ labels, durations }) => [labels, durations]),
  });
  void new DurationsMetric({
    name: "presto_sidecar_upstream_duration_seconds",
    row: callMetricRows.presto_sidecar_upstream_duration_seconds,
    registry,
    read: () =>
      [...upstream].filter(([, { count }]) => count > 0).map(([operation, of]) => [{ operation }, of]),
  });
}

const otherStatus = -1;
const registered = new Set([0, ...Object.keys(STATUS_CODES).map(Number)]);

function bounded(status: number): number {
  return registered.has(status) ? status : otherStatus;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/** How often something took how long, in seconds. Adding costs some comparisons. */
class Durations {
  readonly bounds: readonly number[];
  /** How many are within each bound, and not within the one before. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  add(seconds: number): void {
    this.sum += seconds;
    this.count += 1;
    const index = this.bounds.findIndex((bound) => seconds <= bound);
    if (index !== -1) this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}

export interface DurationsMetricOptions {
  readonly name: string;
  readonly row: MetricRow;
  readonly registry: Registry;
  /** What there is when somebody asks, each with its labels. */
  readonly read: () => Iterable<readonly [labels: Readonly<Record<string, string>>, durations: Durations]>;
}

type Reading = ReturnType<Histogram["get"]>;

/**
 * A histogram whose numbers are our own until they are asked for: prom-client's makes a text of
 * the labels for each observation, and for each call there are two.
 */
class DurationsMetric extends Histogram {
  readonly #options: DurationsMetricOptions;
  /** Has no numbers: all else that the registry wants to know. */
  readonly #template: Histogram;

  constructor(options: DurationsMetricOptions) {
    const { name, row, registry } = options;
    const { help, labels = [] } = row;
    super({ name, help, labelNames: [...labels], registers: [registry] });
    this.#options = options;
    this.#template = new Histogram({ name, help, labelNames: [...labels], registers: [] });
  }

  override async get(): Reading {
    const { name, read } = this.#options;
    const values: Awaited<Reading>["values"] = [];
    for (const [labels, durations] of read()) {
      let within = 0;
      for (const [index, bound] of durations.bounds.entries()) {
        within += durations.counts[index] ?? 0;
        values.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: within });
      }
      values.push(
        { metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: durations.count },
        { metricName: `${name}_sum`, labels, value: durations.sum },
        { metricName: `${name}_count`, labels, value: durations.count },
      );
    }
    return { ...(await this.#template.get()), values };
  }

  /** The registry asks by this name when it makes text. */
  getForPromString(): Reading {
    return this.get();
  }
}
