import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** All that is known of a metric: it is made from this, and so is docs/metrics.md. */
export interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels?: readonly string[];
  /** What it is: a sentence, for whoever scrapes. */
  readonly help: string;
  /** When to look at it, and what to do: a sentence or two in Markdown. */
  readonly watch: string;
}

/** By name, each written out: whoever finds one on a dashboard finds it here. */
export type MetricRows = Readonly<Record<string, MetricRow>>;

/** Makes the metrics of a table, and no others. */
export interface MetricMaker<Name extends string> {
  /** @param collect adds to it when somebody asks */
  counter(name: Name, collect?: (counter: Counter) => void): Counter;
  /** Its number is kept elsewhere, and read when somebody asks. */
  readCounter(name: Name, read: () => number | undefined): void;
  /** @param collect sets it when somebody asks */
  gauge(name: Name, collect?: (gauge: Gauge) => void): Gauge;
  /** It is read when somebody asks. While its value is undefined it is absent, not zero. */
  readGauge(name: Name, read: () => number | undefined): void;
  histogram(name: Name, buckets: number[]): Histogram;
}

export function createMetricMaker<R extends { readonly [N in keyof R]: MetricRow }>(
  registry: Registry,
  rows: R,
): MetricMaker<keyof R & string> {
  type Name = keyof R & string;
  const options = (name: Name): { name: Name; help: string; labelNames: string[]; registers: Registry[] } => {
    const { help, labels = [] } = rows[name];
    return { name, help, labelNames: [...labels], registers: [registry] };
  };

  return {
    counter(name, collect) {
      const counter: Counter = new Counter({
        ...options(name),
        ...(collect === undefined ? {} : { collect: () => collect(counter) }),
      });
      return counter;
    },
    readCounter(name, read) {
      const counter: Counter = new Counter({
        ...options(name),
        collect() {
          counter.reset();
          counter.inc(read() ?? 0);
        },
      });
    },
    gauge(name, collect) {
      const gauge: Gauge = new Gauge({
        ...options(name),
        ...(collect === undefined ? {} : { collect: () => collect(gauge) }),
      });
      return gauge;
    },
    readGauge(name, read) {
      const gauge: Gauge = new Gauge({
        ...options(name),
        collect() {
          const value = read();
          if (value === undefined) gauge.remove();
          else gauge.set(value);
        },
      });
    },
    histogram: (name, buckets) => new Histogram({ ...options(name), buckets }),
  };
}

/** Reads a number out of a report for `readGauge` and the like: undefined while there is no report. */
export function readingOf<Report>(
  report: () => Report | undefined,
): (read: (given: Report) => number | undefined) => () => number | undefined {
  return (read) => () => {
    const given = report();
    return given === undefined ? undefined : read(given);
  };
}

/** Seconds since 1970, as metrics have points in time. */
export function timestamp(time: Date | null | undefined): number | undefined {
  const ms = time?.getTime();
  return ms === undefined || Number.isNaN(ms) ? undefined : ms / 1000;
}
