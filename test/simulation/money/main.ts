import { parseSimulationArguments, type SimulationArguments, usage } from "../arguments.ts";
import { createProgress } from "../progress.ts";
import { prove } from "../prove.ts";
import { createMoneyCrew, moneyProof } from "./proof.ts";
import type { MoneySeedResult } from "./run-seed.ts";

/** `npm run simulate:money`: exit code 1 if a property broke, 64 if it was asked wrongly. */
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
  return given.prove ? prove(given, moneyProof) : simulate(given);
}

async function simulate({ from, count, isTold, fault, workers }: SimulationArguments): Promise<number> {
  const startedAt = performance.now();
  const crew = createMoneyCrew(Math.min(workers, count), fault);
  const progress = createProgress(process.stdout);
  const failures: MoneySeedResult[] = [];
  const sums = { seeds: 0, confirms: 0, moved: 0, crashes: 0, steps: 0, simulatedMs: 0 };
  try {
    await crew.play({ from, count, isTold, untilFailure: fault !== undefined }, (results) => {
      for (const result of results) {
        sums.seeds += 1;
        sums.confirms += result.confirms;
        sums.moved += result.moved;
        sums.crashes += result.crashes;
        sums.steps += result.steps;
        sums.simulatedMs += result.simulatedMs;
        if (isTold) process.stdout.write(`${result.story.join("\n")}\n`);
        if (result.failure !== undefined) failures.push(result);
      }
      progress.show(`${sums.seeds} of ${count} seeds, ${failures.length} failed, ${sums.confirms} confirms`);
      return fault === undefined || failures.length === 0;
    });
    progress.end();
    failures.sort((one, other) => one.seed - other.seed);
    const [first] = failures;
    if (first !== undefined && !isTold)
      process.stdout.write(`${(await crew.tell(first.seed)).story.join("\n")}\n\n`);
    const ms = performance.now() - startedAt;
    process.stdout.write(
      [
        `seeds         ${sums.seeds}, ${failures.length} failed`,
        `confirms      ${sums.confirms} reached Presto, ${sums.moved} moved money`,
        `crashes       ${sums.crashes}`,
        `simulated     ${(sums.simulatedMs / 3_600_000).toFixed(1)} hours, ${sums.steps} steps`,
        `time          ${(ms / 1_000).toFixed(1)} s, ${(ms / Math.max(1, sums.seeds)).toFixed(2)} ms a seed`,
        ...failures.slice(0, 20).map((failure) => `FAILED  ${sentence(failure, fault)}`),
        "",
      ].join("\n"),
    );
    return failures.length === 0 ? 0 : 1;
  } finally {
    await crew.close();
  }
}

function sentence({ seed, kind, failure }: MoneySeedResult, fault: string | undefined): string {
  const again = `npm run simulate:money -- --seed ${seed} --story${fault === undefined ? "" : ` --fault ${fault}`}`;
  return `seed ${seed} (${kind}): ${failure?.property}: ${failure?.message}\n        again with: ${again}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
