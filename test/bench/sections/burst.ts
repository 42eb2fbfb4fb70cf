import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import type { Bench } from "../bench.ts";
import { makeBurst } from "../burst.ts";
import { launch, withWords } from "../launch.ts";
import type { Instance } from "../stage.ts";
import { answer } from "../upstream.ts";

const calls = 128;

/** 128 calls at once: on a target that was started a second ago and has served nobody, and again when it has. */
export async function measureBurst(bench: Bench, round: number, instance: Instance): Promise<void> {
  const { child, port } = await launch(bench.stage, instance, true);
  try {
    for (const state of ["cold", "warm"] as const) {
      await pause(1000);
      const { firstMs, lastMs } = await makeBurst(port, calls);
      bench.figures.record(`burst ${state}-first-ms`, instance.name, round, firstMs);
      bench.figures.record(`burst ${state}-last-ms`, instance.name, round, lastMs);
    }
  } catch (error) {
    throw withWords(child, error);
  } finally {
    await child.stop();
  }
}

/** The caller itself must not be cold: its first bursts take three times as long as its tenth. */
export async function rehearseBurst(port: number): Promise<void> {
  const server = createServer((_, response) => response.end(answer)).listen(port, "127.0.0.1");
  try {
    for (let run = 0; run < 10; run += 1) await makeBurst(port, calls);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
