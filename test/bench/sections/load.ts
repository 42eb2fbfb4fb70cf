import { setTimeout as pause } from "node:timers/promises";

import { attempt, type Bench } from "../bench.ts";
import { cpuMicroseconds, residentMiB } from "../child.ts";
import { type Launched, withWords } from "../launch.ts";
import { type Load, type LoadResult, loads, makeLoad } from "../load.ts";
import type { Instance } from "../stage.ts";

/** A target that runs, in the order in which they take their turns. */
export interface Runner {
  readonly instance: Instance;
  readonly launched: Launched;
}

/**
 * Load by load, one target after the other: what is compared lies a few seconds apart. All of them run, and those
 * whose turn it is not do nothing.
 */
export async function measureLoads(bench: Bench, round: number, runners: readonly Runner[]): Promise<void> {
  const { seconds } = bench.options;
  for (const runner of runners) {
    await attempt(bench, { name: runner.instance.name }, async () => {
      await loadOnce(bench, runner.launched, loads.usual, seconds);
    });
  }
  const most = new Map<string, number>();
  for (const load of Object.values(loads)) {
    if (!bench.options.loads.includes(load.name)) continue;
    for (const { instance, launched } of runners) {
      if (instance.variant && load !== loads.usual) continue;
      await attempt(bench, { name: instance.name, part: load.name }, async () => {
        const { result, cpu, mostMiB } = await loadOnce(bench, launched, load, seconds);
        const record = (figure: string, value: number): void =>
          bench.figures.record(`${load.name} ${figure}`, instance.name, round, value);
        record("cpu-us", cpu / result.requests);
        record("per-second", (result.requests * 1e6) / result.microseconds);
        record("p50-us", result.p50);
        record("p99-ms", result.p99 / 1000);
        record("longest-ms", result.longest / 1000);
        most.set(instance.name, Math.max(mostMiB, most.get(instance.name) ?? 0));
      });
    }
  }
  await pause(1000);
  for (const { instance, launched } of runners) {
    if (instance.variant) continue;
    await attempt(bench, { name: instance.name }, async () => {
      bench.figures.record("load most-mib", instance.name, round, most.get(instance.name) ?? Number.NaN);
      bench.figures.record("load after-mib", instance.name, round, residentMiB(launched.child.pid));
    });
  }
}

/** One load; throws where one call of it failed. */
export async function loadOnce(
  { stage }: Bench,
  { child, port }: Launched,
  load: Load,
  seconds: number,
): Promise<{ readonly result: LoadResult; readonly cpu: number; readonly mostMiB: number }> {
  let mostMiB = 0;
  const sampler = setInterval(() => {
    mostMiB = Math.max(mostMiB, residentMiB(child.pid));
  }, 200);
  try {
    const before = cpuMicroseconds(child.pid);
    const result = await makeLoad(stage, port, load, seconds);
    const cpu = cpuMicroseconds(child.pid) - before;
    if (result.errors > 0 || result.requests === 0) {
      throw new Error(`${result.errors} calls failed and ${result.requests} were answered in ${load.name}`);
    }
    return { result, cpu, mostMiB };
  } catch (error) {
    throw withWords(child, error);
  } finally {
    clearInterval(sampler);
  }
}
