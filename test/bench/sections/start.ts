import { setTimeout as pause } from "node:timers/promises";

import type { Bench } from "../bench.ts";
import { residentMiB, startChild } from "../child.ts";
import { median } from "../figures.ts";
import type { Launched } from "../launch.ts";
import type { Instance } from "../stage.ts";

/** How long it took to start, what it is worth at rest, and how long a healthcheck of it takes. */
export async function measureStart(
  bench: Bench,
  round: number,
  instance: Instance,
  { child, readyMs }: Launched,
): Promise<void> {
  const { name } = instance;
  bench.figures.record("start ready-ms", name, round, readyMs);
  // Garbage of the start is gone a moment later, or stays.
  await pause(500);
  bench.figures.record("start rest-mib", name, round, residentMiB(child.pid));
  const healthcheckMs = await timeHealthcheck(bench, instance);
  if (healthcheckMs !== undefined) bench.figures.record("start healthcheck-ms", name, round, healthcheckMs);
}

async function timeHealthcheck({ stage }: Bench, { prepared }: Instance): Promise<number | undefined> {
  if (prepared.healthcheck === undefined) return undefined;
  const times: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = startChild(stage.programs.taskset, stage.cores.proxy, prepared.healthcheck);
    const code = await child.exitCode();
    times.push(performance.now() - child.startedAt);
    if (code !== 0) throw new Error(`healthcheck ended with ${code}: ${child.said()}`);
  }
  return median(times);
}
