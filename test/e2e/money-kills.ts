/**
 * `npm run money-kills -- --rounds 40 --seed 1`: kills the built program at every step of confirms, under every fault
 * of the sandbox, and holds what callers were told and what the record says against Presto's own books. `--fault NAME`
 * builds it with a fault of money-kills-faults.ts first; `--prove` looks for each of these. What is promised: docs/money.md.
 */
import { parseArgs } from "node:util";

import { wholeArgument } from "../support/whole-argument.ts";
import { plantedFaults, withBuilt } from "./money-kills-faults.ts";
import { prove } from "./money-kills-prove.ts";
import { lineOf, problemsOf, reportOf } from "./money-kills-report.ts";
import type { RoundStory } from "./money-kills-round.ts";
import { playMoneyKills } from "./money-kills-run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "36" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: "3" },
    quiet: { type: "boolean", default: false },
    fault: { type: "string" },
    prove: { type: "boolean", default: false },
  },
});

// One for each process that it starts.
process.setMaxListeners(100);
// What was started ends with this process, however that ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const options = {
  seed: wholeArgument("seed", values.seed),
  rounds: wholeArgument("rounds", values.rounds),
  lanes: wholeArgument("lanes", values.lanes),
};

process.exitCode = values.prove ? await prove({ ...options, only: values.fault }) : await play(values.fault);

async function play(name: string | undefined): Promise<number> {
  const fault = plantedFaults.find((one) => one.name === name);
  if (name !== undefined && fault === undefined)
    throw new Error(
      `There is no fault ${name}. There are: ${plantedFaults.map((one) => one.name).join(", ")}`,
    );
  const onRound = (round: RoundStory): void => {
    if (!values.quiet) process.stderr.write(`${lineOf(round)}\n`);
  };
  const lanes =
    fault === undefined
      ? await playMoneyKills({ ...options, onRound })
      : await withBuilt(fault, (main) => playMoneyKills({ ...options, onRound, main }));
  process.stdout.write(reportOf(lanes, options.seed));
  const problems = problemsOf(lanes);
  for (const problem of problems) process.stdout.write(`NOT AS PROMISED: ${problem}\n`);
  return problems.length === 0 ? 0 : 1;
}
