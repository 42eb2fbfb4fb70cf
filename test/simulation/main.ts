import { parseSimulationArguments, usage } from "./arguments.ts";
import type { SimulationArguments } from "./arguments.ts";
import { createCrew } from "./crew.ts";
import { createProgress } from "./progress.ts";
import { prove } from "./prove.ts";
import type { SeedResult } from "./run-seed.ts";
import { createTally } from "./tally.ts";

/** `npm run simulate`: exit code 1 if a property broke, 64 if it was asked wrongly. */
async function main(): Promise<number> {
  let given: SimulationArguments | "help";
  try {
    given = parseSimulationArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 64;
  }
  if (given === "help") {
    process.stdout.write(usage);
    return 0;
  }
  return given.prove ? prove(given) : simulate(given);
}

async function simulate({ from, count, isTold, fault, workers }: SimulationArguments): Promise<number> {
  const startedAt = performance.now();
  const crew = createCrew(Math.min(workers, count), { fault });
  const tally = createTally();
  const progress = createProgress(process.stdout);
  try {
    await crew.play({ from, count, isTold, untilFailure: fault !== undefined }, (results) => {
      for (const result of results) {
        tally.add(result);
        if (isTold) process.stdout.write(`${result.story.join("\n")}\n`);
      }
      progress.show(tally.progress(count));
      return fault === undefined || tally.failures().length === 0;
    });
    progress.end();
    const failures = tally.failures().toSorted((one, other) => one.seed - other.seed);
    const [first] = failures;
    if (first !== undefined && !isTold)
      process.stdout.write(`${(await crew.tell(first.seed)).story.join("\n")}\n\n`);
    for (const line of tally.summary(performance.now() - startedAt)) process.stdout.write(`${line}\n`);
    for (const failure of failures) process.stdout.write(`FAILED  ${sentence(failure, fault)}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await crew.close();
  }
}

function sentence({ seed, kind, failure }: SeedResult, fault: string | undefined): string {
  const again = `npm run simulate -- --seed ${seed} --story${fault === undefined ? "" : ` --fault ${fault}`}`;
  return `seed ${seed} (${kind}): ${failure?.property}: ${failure?.message}\n        again with: ${again}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
