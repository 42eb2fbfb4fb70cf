import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";

import { createProcessMetrics } from "../../../src/observe/metrics-process.ts";
import { parseExposition } from "../../support/parse-exposition.ts";

describe("the measures of the process", () => {
  it("are CPU time, memory and the event loop's delay", async () => {
    const registry = new Registry();
    const close = createProcessMetrics(registry);
    const read = async () => parseExposition(await registry.metrics());
    const longest = async () =>
      (await read()).value("presto_sidecar_event_loop_delay_seconds", { quantile: "1" }) ?? 0;
    // The loop is looked at every 50 ms, and a reading starts it anew: so block in one turn, and read in the next.
    let blocked = false;
    const blockOrRead = (): Promise<number> => {
      blocked = !blocked;
      if (!blocked) return longest();
      const until = performance.now() + 150;
      while (performance.now() < until);
      return Promise.resolve(0);
    };
    await expect.poll(blockOrRead, { interval: 120, timeout: 10_000 }).toBeGreaterThan(0.05);
    // What was read is forgotten: the next scrape is about the time since.
    await expect.poll(longest, { interval: 60, timeout: 10_000 }).toBeLessThan(0.05);
    const { value } = await read();
    expect(value("presto_sidecar_process_cpu_seconds_total")).toBeGreaterThan(0.1);
    expect(value("presto_sidecar_process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    expect(value("presto_sidecar_process_memory_bytes", { part: "heap" })).toBeGreaterThan(1_000_000);
    expect(value("presto_sidecar_process_memory_bytes", { part: "external" })).toBeGreaterThan(0);
    close();
  });

  it("say nothing of a loop that was not looked at yet", async () => {
    const registry = new Registry();
    const close = createProcessMetrics(registry);
    const { value } = parseExposition(await registry.metrics());
    expect(value("presto_sidecar_event_loop_delay_seconds", { quantile: "1" })).toBeUndefined();
    close();
  });
});
