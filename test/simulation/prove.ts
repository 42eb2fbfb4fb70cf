import { readFileSync, writeFileSync } from "node:fs";

import type { SimulationArguments } from "./arguments.ts";
import { type AnySeedResult, type Crew, createCrew } from "./crew.ts";
import type { DeliberateFault } from "./deliberate-faults.ts";
import { createProgress } from "./progress.ts";
import { deliberateFaults } from "./put-fault-in.ts";

/** Which seed found a deliberate fault. */
interface Find {
  readonly fault: DeliberateFault;
  /** Seeds that were played until then, the one that found it included. */
  readonly seeds: number;
  readonly result: AnySeedResult | undefined;
}

/** A world, and the faults that its claims must find. */
export interface Proof {
  readonly faults: readonly DeliberateFault[];
  readonly createCrew: (size: number, fault: string) => Pick<Crew<AnySeedResult>, "play" | "close">;
  /** Names the marks in the page between which the table stands. */
  readonly mark: string;
}

/** Of the token path. */
export const renewalProof: Proof = {
  faults: deliberateFaults,
  createCrew: (size, fault) => createCrew(size, { fault }),
  mark: "the proof",
};

/** Puts each deliberate fault in and plays until a property breaks; 1 if one is not found within `count` seeds. */
export async function prove(
  { from, count, workers, docs }: SimulationArguments,
  proof: Proof = renewalProof,
): Promise<number> {
  const finds: Find[] = [];
  const progress = createProgress(process.stdout);
  for (const fault of proof.faults) {
    progress.show(`looking for ${fault.name}`);
    const find = await findFault(fault, proof.createCrew(workers, fault.name), from, count);
    finds.push(find);
    progress.end();
    process.stdout.write(`${describe(find, count)}\n`);
  }
  if (docs !== undefined) writeTable(docs, proof.mark, finds);
  // A program that merely breaks down was not caught by a property.
  const missed = finds.filter(({ result }) => (result?.failure?.property ?? "defect") === "defect");
  process.stdout.write(`${finds.length - missed.length} of ${finds.length} deliberate faults found\n`);
  return missed.length === 0 ? 0 : 1;
}

/** Lots are handed out in order, and what was begun is finished: the smallest seed that was found is the first there is. */
async function findFault(
  fault: DeliberateFault,
  crew: Pick<Crew<AnySeedResult>, "play" | "close">,
  from: number,
  count: number,
): Promise<Find> {
  let first: AnySeedResult | undefined;
  try {
    await crew.play({ from, count, isTold: false, untilFailure: true }, (results) => {
      for (const result of results) {
        if (result.failure !== undefined && (first === undefined || result.seed < first.seed)) first = result;
      }
      return first === undefined;
    });
  } finally {
    await crew.close();
  }
  return { fault, seeds: first === undefined ? count : first.seed - from + 1, result: first };
}

function describe({ fault, seeds, result }: Find, count: number): string {
  if (result?.failure === undefined) return `${fault.name}: NOT FOUND in ${count} seeds`;
  const { property, message } = result.failure;
  return `${fault.name}: ${property} at seed ${result.seed} (${seeds} played): ${message.split("\n")[0]}`;
}

/** Puts the table between the marks of the page. */
function writeTable(path: string, mark: string, finds: readonly Find[]): void {
  const [beginMark, endMark] = [`<!-- made by ${mark}: begin -->`, `<!-- made by ${mark}: end -->`];
  const page = readFileSync(path, "utf8");
  const [head, rest] = page.split(beginMark);
  const tail = rest?.split(endMark)[1];
  if (head === undefined || tail === undefined)
    throw new Error(`${path} has no marks to put the table between`);
  const rows = finds.map(
    ({ fault, seeds, result }) =>
      `| \`${fault.name}\` | ${fault.what} | ${result?.failure?.property ?? "not found"} | ${seeds} |`,
  );
  const table = ["| fault | what is wrong | caught by | seeds |", "| --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
  writeFileSync(path, `${head}${beginMark}\n\n${table}\n\n${endMark}${tail}`);
}
