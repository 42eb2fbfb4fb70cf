import { open } from "node:fs/promises";

import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";

import { createProcessMetrics } from "../../../src/observe/metrics-process.ts";
import { parseExposition } from "../../support/parse-exposition.ts";

describe("the measures of the process", () => {
  it("are CPU time, memory, descriptors and the event loop's delay", async () => {
    const registry = new Registry();
    const close = createProcessMetrics(registry, 5000);
    const read = async () => parseExposition(await registry.metrics());
    const longest = async () => (await read()).value("presto_sidecar_event_loop_delay_max_seconds") ?? 0;
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
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0.1);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    expect(value("presto_sidecar_memory_bytes", { part: "heap" })).toBeGreaterThan(1_000_000);
    expect(value("presto_sidecar_memory_bytes", { part: "external" })).toBeGreaterThan(0);
    expect(value("process_start_time_seconds")).toBe(5);
    if (process.platform === "linux") {
      expect(value("process_virtual_memory_bytes")).toBeGreaterThan(10_000_000);
      expect(value("process_max_fds")).toBeGreaterThan(value("process_open_fds") ?? 0);
      const before = value("process_open_fds") ?? 0;
      const more = await Promise.all(Array.from({ length: 5 }, () => open("/dev/null")));
      expect((await read()).value("process_open_fds")).toBeGreaterThanOrEqual(before + 5);
      await Promise.all(more.map((file) => file.close()));
    }
    close();
  });

  it("say nothing of a loop that was not looked at yet", async () => {
    const registry = new Registry();
    const close = createProcessMetrics(registry, 5000);
    const { value } = parseExposition(await registry.metrics());
    expect(value("presto_sidecar_event_loop_delay_max_seconds")).toBeUndefined();
    close();
  });
});
