import { Histogram, type Registry } from "prom-client";

/** How often something took how long, in seconds. Adding costs some comparisons. */
export class Durations {
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
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registry: Registry;
  /** What there is when somebody asks, each with its labels. */
  readonly read: () => Iterable<readonly [labels: Readonly<Record<string, string>>, durations: Durations]>;
}

type Reading = ReturnType<Histogram["get"]>;

/**
 * A histogram whose numbers are our own until they are asked for: prom-client's makes a text of
 * the labels for each observation, and for each call there are two.
 */
export class DurationsMetric extends Histogram {
  readonly #options: DurationsMetricOptions;
  /** Has no numbers: all else that the registry wants to know. */
  readonly #template: Histogram;

  constructor(options: DurationsMetricOptions) {
    const { name, help, labelNames, registry } = options;
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
    this.#options = options;
    this.#template = new Histogram({ name, help, labelNames: [...labelNames], registers: [] });
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
