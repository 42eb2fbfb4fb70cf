import { monitorEventLoopDelay } from "node:perf_hooks";

import { Counter, Gauge, type Registry } from "prom-client";

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

/** Milliseconds between two looks at the event loop. */
const resolutionMs = 50;
const nsPerSecond = 1e9;
const quantiles = [0.5, 0.9, 0.99, 1] as const;

/**
 * Measures of the process itself. prom-client's own set does not fit beside every pod: its
 * event-loop monitor looks every 10 ms, which costs an idle sidecar 0.8 % of a core (seen on
 * Node 26; 0.2 % at 50 ms), and what it calls a lag has that interval in it.
 * @returns what ends the measuring
 */
export function createProcessMetrics(registry: Registry): () => void {
  const registers = [registry];
  const cpu = new Counter({
    name: "presto_sidecar_process_cpu_seconds_total",
    help: "CPU time of the process, user and system together.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
  addReadGauge(
    registry,
    "presto_sidecar_process_resident_memory_bytes",
    "Memory of the process that is in RAM.",
    () => process.memoryUsage.rss(),
  );
  const memory = new Gauge({
    name: "presto_sidecar_process_memory_bytes",
    help: "Memory that JavaScript uses: its heap, and the buffers outside of it.",
    labelNames: ["part"],
    registers,
    collect() {
      const { heapUsed, external } = process.memoryUsage();
      memory.set({ part: "heap" }, heapUsed);
      memory.set({ part: "external" }, external);
    },
  });

  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const delays = new Gauge({
    name: "presto_sidecar_event_loop_delay_seconds",
    help: "How late the event loop came to its work since the last scrape; quantile 1 is the largest.",
    labelNames: ["quantile"],
    registers,
    collect() {
      delays.reset();
      if (delay.count === 0) return;
      // Node records the whole interval between two looks; the one that a reset falls into is not recorded.
      const late = (ns: number): number => Math.max(0, (ns - resolutionMs * 1e6) / nsPerSecond);
      for (const quantile of quantiles) {
        delays.set(
          { quantile: String(quantile) },
          late(quantile === 1 ? delay.max : delay.percentile(quantile * 100)),
        );
      }
      delay.reset();
    },
  });
  return () => {
    delay.disable();
  };
}
