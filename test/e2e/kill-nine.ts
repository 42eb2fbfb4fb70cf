/**
 * `npm run kill-nine -- --rounds 200 --seed 1`: kills the built program at seeded moments of a
 * renewal, under load, and sees that each time a live token serves again. What is promised, and
 * what came of it: docs/renewal.md.
 */
import { parseArgs } from "node:util";

import { wholeArgument } from "../support/whole-argument.ts";
import { lineOf, problemsOf, reportOf } from "./kill-nine-report.ts";
import { killNine } from "./kill-nine-run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: "2" },
    quiet: { type: "boolean", default: false },
  },
});

// What was started ends with this process, however that ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const seed = wholeArgument("seed", values.seed);
const lanes = await killNine({
  seed,
  rounds: wholeArgument("rounds", values.rounds),
  lanes: wholeArgument("lanes", values.lanes),
  onRound: (round) => {
    if (!values.quiet) process.stderr.write(`${lineOf(round)}\n`);
  },
});
process.stdout.write(reportOf(lanes, seed));
const problems = problemsOf(lanes);
for (const problem of problems) process.stdout.write(`NOT AS PROMISED: ${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
