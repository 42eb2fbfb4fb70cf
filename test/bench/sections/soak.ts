import { setTimeout as pause } from "node:timers/promises";

import { attempt, type Bench, tell } from "../bench.ts";
import { residentMiB } from "../child.ts";
import { median } from "../figures.ts";
import { launch } from "../launch.ts";
import { loads } from "../load.ts";
import type { Instance } from "../stage.ts";
import { loadOnce } from "./load.ts";

/** What a minute of it is made of: growth and shrinking of connections belong to it. */
const minute = [loads.usual, loads.money, loads.crowd, loads.closing];

/** Minutes of mixed load on one target. Its resident memory after each of them, and whether it stays flat. */
export async function measureSoak(bench: Bench, instance: Instance): Promise<void> {
  const { name } = instance;
  await attempt(bench, { name, part: "soak" }, async () => {
    const launched = await launch(bench.stage, instance);
    const after: number[] = [];
    try {
      for (let passed = 1; passed <= bench.options.soakMinutes; passed += 1) {
        for (const load of minute) await loadOnce(bench, launched, load, 60 / minute.length);
        await pause(1000);
        after.push(residentMiB(launched.child.pid));
        tell(`soak, minute ${passed}: ${name} has ${after.at(-1)?.toFixed(1)} MiB`);
      }
    } finally {
      await launched.child.stop();
    }
    for (const [passed, mib] of after.entries()) bench.figures.record("soak resident-mib", name, passed, mib);
    // The first minute is V8's and the pool's growth to their working size.
    const third = Math.max(1, Math.floor((after.length - 1) / 3));
    const early = median(after.slice(1, 1 + third));
    const late = median(after.slice(-third));
    if (early !== undefined && late !== undefined) {
      bench.figures.record("soak growth", name, 0, late / early);
    }
  });
}
