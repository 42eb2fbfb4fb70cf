import { attempt, type Bench } from "../bench.ts";
import { launch, validate } from "../launch.ts";
import type { Instance } from "../stage.ts";
import { measureBurst } from "./burst.ts";
import { measureLoads, type Runner } from "./load.ts";
import { measureStart } from "./start.ts";

/** One round: every target is started anew, and takes its turn in every part of the table that was asked for. */
export async function runRound(bench: Bench, round: number, instances: readonly Instance[]): Promise<void> {
  const { only } = bench.options;
  const wants = instances.filter(({ variant }) => !variant || only.includes("load"));
  // Nobody is always first: each round begins with another.
  const order = wants.map((instance, index) => wants[(index + round) % wants.length] ?? instance);
  if (only.includes("burst")) {
    for (const instance of order) {
      if (!instance.variant)
        await attempt(bench, { name: instance.name, part: "burst" }, () =>
          measureBurst(bench, round, instance),
        );
    }
  }
  if (!only.includes("start") && !only.includes("load")) return;
  const runners: Runner[] = [];
  try {
    for (const instance of order) {
      await attempt(bench, { name: instance.name }, async () => {
        const launched = await launch(bench.stage, instance);
        runners.push({ instance, launched });
        await validate(launched.port);
        if (only.includes("start") && !instance.variant) await measureStart(bench, round, instance, launched);
      });
    }
    if (only.includes("load")) await measureLoads(bench, round, runners);
  } finally {
    await Promise.all(runners.map(({ launched }) => launched.child.stop()));
  }
}
