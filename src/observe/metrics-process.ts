import { monitorEventLoopDelay } from "node:perf_hooks";

import type { Registry } from "prom-client";

import { countDescriptors, readDescriptorLimit, readVirtualMemory } from "../files/proc.ts";
import { createMetricMaker, type MetricRows } from "./metric-rows.ts";

export const processMetricRows = {
  process_cpu_seconds_total: {
    type: "counter",
    help: "CPU time of the process, user and system together.",
    watch: "Near one core: a sidecar has one thread for its calls. Give it a core of its own, or add pods.",
  },
  process_start_time_seconds: {
    type: "gauge",
    help: "When the process started, in seconds since 1970.",
    watch: "Changes without a rollout: it was killed. Look at its last lines, and at the pod's last state.",
  },
  process_resident_memory_bytes: {
    type: "gauge",
    help: "Memory of the process that is in RAM.",
    watch: "Nears the container's limit: raise that, or lower `PRESTO_MAX_BUFFERED`.",
  },
  process_virtual_memory_bytes: {
    type: "gauge",
    help: "Address space of the process.",
    watch: "Large by nature; nothing to do by itself.",
  },
  process_open_fds: {
    type: "gauge",
    help: "File descriptors that are open, connections among them.",
    watch:
      "Nears `process_max_fds`: callers are turned away (`presto_sidecar_refused_connections_total`). Look for one that keeps too many connections.",
  },
  process_max_fds: {
    type: "gauge",
    help: "File descriptors that may be open.",
    watch: "Low, such as 1024: raise it (`ulimit -n`, `LimitNOFILE`).",
  },
  presto_sidecar_memory_bytes: {
    type: "gauge",
    labels: ["part"],
    help: "Memory that JavaScript uses: its heap, and the buffers outside of it.",
    watch: "`heap` grows for days: a leak. Report it, with this curve.",
  },
  presto_sidecar_event_loop_delay_p50_seconds: {
    type: "gauge",
    help: "How late the event loop came to its work since the last scrape: half of the times no later than this.",
    watch: "Above 5 ms: the process has too much to do, or too little CPU.",
  },
  presto_sidecar_event_loop_delay_p99_seconds: {
    type: "gauge",
    help: "How late the event loop came to its work since the last scrape: 99 of 100 times no later than this.",
    watch:
      "Above 50 ms: as above; see whether its CPU is throttled (`container_cpu_cfs_throttled_periods_total`).",
  },
  presto_sidecar_event_loop_delay_max_seconds: {
    type: "gauge",
    help: "How late the event loop came to its work since the last scrape, at most.",
    watch: "Above a second: the machine stood still, or the process was paused.",
  },
} as const satisfies MetricRows;

/** Milliseconds between two looks at the event loop. */
const resolutionMs = 50;
const nsPerSecond = 1e9;

/**
 * Measures of the process itself. prom-client's own set does not fit beside every pod: its
 * event-loop monitor looks every 10 ms, which costs an idle sidecar 0.8 % of a core (seen on
 * Node 26; 0.2 % at 50 ms), and what it calls a lag has that interval in it.
 * @param startedAt wall clock of the start, milliseconds since 1970
 * @returns what ends the measuring
 */
export function createProcessMetrics(registry: Registry, startedAt: number): () => void {
  const make = createMetricMaker(registry, processMetricRows);
  make.readCounter("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  make.readGauge("process_start_time_seconds", () => startedAt / 1000);
  make.readGauge("process_resident_memory_bytes", () => process.memoryUsage.rss());
  make.readGauge("process_virtual_memory_bytes", readVirtualMemory);
  make.readGauge("process_open_fds", countDescriptors);
  let mostDescriptors: number | undefined;
  void readDescriptorLimit().then((limit) => {
    mostDescriptors = limit;
  });
  make.readGauge("process_max_fds", () => mostDescriptors);
  make.gauge("presto_sidecar_memory_bytes", (memory) => {
    const { heapUsed, external } = process.memoryUsage();
    memory.set({ part: "heap" }, heapUsed);
    memory.set({ part: "external" }, external);
  });

  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  // Node records the whole interval between two looks; the one that a reset falls into is not recorded.
  const late = (read: () => number) => () =>
    delay.count === 0 ? undefined : Math.max(0, (read() - resolutionMs * 1e6) / nsPerSecond);
  make.readGauge(
    "presto_sidecar_event_loop_delay_p50_seconds",
    late(() => delay.percentile(50)),
  );
  make.readGauge(
    "presto_sidecar_event_loop_delay_p99_seconds",
    late(() => delay.percentile(99)),
  );
  const readMax = late(() => delay.max);
  make.readGauge("presto_sidecar_event_loop_delay_max_seconds", () => {
    const longest = readMax();
    // The last of the three that are read.
    delay.reset();
    return longest;
  });
  return () => {
    delay.disable();
  };
}
