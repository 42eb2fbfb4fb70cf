import type { DeliberateFault } from "../simulation/deliberate-faults.ts";
import { plantedFaults, withBuilt } from "./money-kills-faults.ts";
import { runsPerRound } from "./money-kills-plan.ts";
import { problemsOf } from "./money-kills-report.ts";
import { playMoneyKills } from "./money-kills-run.ts";

export interface ProveOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly lanes: number;
  /** One fault alone. */
  readonly only: string | undefined;
}

/** Plays each planted fault until the proof finds something; 1 if one is not found. */
export async function prove({ only, ...options }: ProveOptions): Promise<number> {
  const faults = plantedFaults.filter(({ name }) => only === undefined || name === only);
  let missed = 0;
  for (const fault of faults) {
    const { problems, played } = await find(fault, options);
    const [first] = problems;
    if (first === undefined) missed += 1;
    const runs = played * runsPerRound;
    process.stdout.write(
      `${fault.name}: ${first === undefined ? "NOT FOUND" : "found"} in ${runs} transactions${first === undefined ? "" : `: ${first}`}\n`,
    );
  }
  process.stdout.write(`${faults.length - missed} of ${faults.length} planted faults found\n`);
  return missed === 0 ? 0 : 1;
}

async function find(
  fault: DeliberateFault,
  options: Omit<ProveOptions, "only">,
): Promise<{ readonly problems: readonly string[]; readonly played: number }> {
  let played = 0;
  const onRound = (): void => {
    played += 1;
  };
  try {
    const lanes = await withBuilt(fault, (main) =>
      playMoneyKills({ ...options, main, onRound, endsEarly: true }),
    );
    return { problems: problemsOf(lanes), played };
  } catch (error) {
    // A sidecar that did not come back: a program that merely breaks down was not found, unless its record shows why.
    const why = String(error);
    return { problems: why.includes("audit verify") ? [why] : [], played: played + 1 };
  }
}
