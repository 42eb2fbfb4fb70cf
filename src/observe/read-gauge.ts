import { Gauge, type Registry } from "prom-client";

/** Adds a gauge that is read when somebody asks. While its value is undefined it is absent, not zero. */
export function addReadGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | undefined,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      const value = read();
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    },
  });
}
