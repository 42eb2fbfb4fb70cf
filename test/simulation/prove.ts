import { readFileSync, writeFileSync } from "node:fs";

import type { SimulationArguments } from "./arguments.ts";
import { type AnySeedResult, type Crew, createCrew } from "./crew.ts";
import type { DeliberateFault } from "./deliberate-faults.ts";
import { createProgress } from "./progress.ts";
import { deliberateFaults } from "./put-fault-in.ts";

/** What found a deliberate fault. */
interface Find {
  readonly fault: DeliberateFault;
  /** The first seeds that did, in order; none if none did. */
  readonly results: readonly AnySeedResult[];
}

/** So many are told at most: a change of the program may take one away. */
const mostTold = 3;

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

/** Puts each deliberate fault in, or the one that is named, and plays until a property breaks; 1 if one is not found within `count` seeds. */
export async function prove(
  { fault: only, from, count, workers, docs }: SimulationArguments,
  proof: Proof = renewalProof,
): Promise<number> {
  const finds: Find[] = [];
  const progress = createProgress(process.stdout);
  for (const fault of proof.faults.filter(({ name }) => only === undefined || name === only)) {
    progress.show(`looking for ${fault.name}`);
    const crew = proof.createCrew(workers, fault.name);
    const find = { fault, results: await findSeeds(crew, fault.from ?? from, count) };
    finds.push(find);
    progress.end();
    process.stdout.write(`${describe(find, count)}\n`);
  }
  if (docs !== undefined) writeTable(docs, proof, finds);
  // A program that merely breaks down was not caught by a property.
  const missed = finds.filter(({ results: [first] }) => (first?.failure?.property ?? "defect") === "defect");
  process.stdout.write(`${finds.length - missed.length} of ${finds.length} deliberate faults found\n`);
  return missed.length === 0 ? 0 : 1;
}

/**
 * As the tests look for a fault: by the seeds that found it when the page was made; and by `count` seeds from the first
 * one on, if the program has changed so much since that none of them does any more.
 */
export async function findAgain(
  fault: string,
  { page, count }: { readonly page: string; readonly count: number },
  proof: Proof = renewalProof,
): Promise<AnySeedResult | undefined> {
  const known = /\| ([0-9, ]+) \|$/.exec(rowOf(page, fault) ?? "")?.[1]?.split(", ") ?? [];
  const lone = proof.createCrew(1, fault);
  try {
    for (const seed of known) {
      const [found] = await collect(lone, Number(seed), 1, 1);
      if (found !== undefined) return found;
    }
  } finally {
    await lone.close();
  }
  const from = proof.faults.find(({ name }) => name === fault)?.from ?? 1;
  const [first] = await findFailures(proof.createCrew(2, fault), from, count, 1);
  return first;
}

/** What the page says of a fault. */
function rowOf(page: string, fault: string): string | undefined {
  return new RegExp(`^\\| \`${fault}\` \\|.*$`, "m").exec(page)?.[0];
}

/** For one that is found at once, too, others are looked for among so many. */
const fewSeeds = 100;

/** The first seed that finds a fault, and others among as many again. */
async function findSeeds(crew: PlayingCrew, from: number, count: number): Promise<readonly AnySeedResult[]> {
  try {
    const [first] = await collect(crew, from, count, 1);
    if (first === undefined) return [];
    const others = await collect(crew, first.seed + 1, Math.max(fewSeeds, first.seed - from), mostTold - 1);
    return [first, ...others];
  } finally {
    await crew.close();
  }
}

type PlayingCrew = ReturnType<Proof["createCrew"]>;

/** The first seeds at which a property breaks, `most` of them; ends the crew. */
export async function findFailures(
  crew: PlayingCrew,
  from: number,
  count: number,
  most: number,
): Promise<readonly AnySeedResult[]> {
  try {
    return await collect(crew, from, count, most);
  } finally {
    await crew.close();
  }
}

/** Lots are handed out in order, and what was begun is finished: what was found are the smallest seeds that there are. */
async function collect(
  crew: PlayingCrew,
  from: number,
  count: number,
  most: number,
): Promise<readonly AnySeedResult[]> {
  const found: AnySeedResult[] = [];
  await crew.play({ from, count, isTold: false, untilFailure: most === 1 }, (results) => {
    found.push(...results.filter(({ failure }) => failure !== undefined));
    return found.length < most;
  });
  return found.toSorted((one, other) => one.seed - other.seed).slice(0, most);
}

function describe({ fault, results }: Find, count: number): string {
  const [first] = results;
  if (first?.failure === undefined) return `${fault.name}: NOT FOUND in ${count} seeds`;
  const { property, message } = first.failure;
  return `${fault.name}: ${property} at seed ${seedsOf(results)}: ${message.split("\n")[0]}`;
}

function seedsOf(results: readonly AnySeedResult[]): string {
  return results.map(({ seed }) => seed).join(", ");
}

/** Puts the table between the marks of the page. The rows of faults that were not looked for stay. */
function writeTable(path: string, { faults, mark }: Proof, finds: readonly Find[]): void {
  const [beginMark, endMark] = [`<!-- made by ${mark}: begin -->`, `<!-- made by ${mark}: end -->`];
  const page = readFileSync(path, "utf8");
  const [head, rest] = page.split(beginMark);
  const tail = rest?.split(endMark)[1];
  if (head === undefined || tail === undefined)
    throw new Error(`${path} has no marks to put the table between`);
  const rows = faults.flatMap(({ name, what }) => {
    const find = finds.find(({ fault }) => fault.name === name);
    if (find === undefined) return rowOf(page, name) ?? [];
    const [first] = find.results;
    return `| \`${name}\` | ${what} | ${first?.failure?.property ?? "not found"} | ${seedsOf(find.results)} |`;
  });
  const table = ["| fault | what is wrong | caught by | seeds |", "| --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
  writeFileSync(path, `${head}${beginMark}\n\n${table}\n\n${endMark}${tail}`);
}
