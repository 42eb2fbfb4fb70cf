/**
 * `npm run bench`: the production build beside its peers, doing the same job on the same machine in turns.
 * The method and what came of it: docs/performance.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "../support/free-ports.ts";
import { type Bench, tell } from "./bench.ts";
import { allowedCores, busyPart } from "./child.ts";
import { createFigures } from "./figures.ts";
import { type BenchOptions, help, readOptions } from "./options.ts";
import { describeMachine, formatReport, putReport } from "./report.ts";
import { rehearseBurst } from "./sections/burst.ts";
import { runRound } from "./sections/round.ts";
import { measureSilence } from "./sections/silence.ts";
import { measureSoak } from "./sections/soak.ts";
import { type Instance, openStage, type Stage } from "./stage.ts";
import { tableRows } from "./table.ts";
import type { Target } from "./target.ts";
import { envoy } from "./targets/envoy.ts";
import { nginx } from "./targets/nginx.ts";
import { floor, stock } from "./targets/node-peers.ts";
import { createSidecar } from "./targets/sidecar.ts";

/** They answer a question of their own, which is not the table's. */
const onDemand = ["sidecar-bound", "against-bound", "against-traced", "nginx"];

/** In the order of the table's columns. */
function chooseTargets({ targets, against, nodeFlags }: BenchOptions): readonly Target[] {
  const every = [
    ...createSidecar({ name: "sidecar", nodeFlags }),
    ...against.flatMap((build, index) =>
      createSidecar({ name: index === 0 ? "against" : `against${index + 1}`, build }),
    ),
    envoy,
    stock,
    floor,
    nginx,
  ];
  const unknown = targets.filter((name) => !every.some((target) => target.name === name));
  if (unknown.length > 0) throw new Error(`There is no target ${unknown.join(", ")}.\n${help}`);
  return every.filter(({ name }) =>
    targets.length === 0 ? !onDemand.includes(name) : targets.includes(name),
  );
}

/** Those that can be had here. */
async function openTargets(
  stage: Stage,
  targets: readonly Target[],
): Promise<{ readonly present: readonly Target[]; readonly instances: readonly Instance[] }> {
  const present: Target[] = [];
  const instances: Instance[] = [];
  for (const target of targets) {
    const instance = await stage.instance(target);
    if (instance === undefined) {
      tell(`${target.name} is left out: its program is not here and could not be fetched.`);
    } else {
      present.push(target);
      instances.push(instance);
    }
  }
  return { present, instances };
}

async function measure(
  bench: Bench,
  targets: readonly Target[],
  instances: readonly Instance[],
): Promise<void> {
  const { only, rounds } = bench.options;
  if (only.includes("burst")) await rehearseBurst(await freePort());
  if (only.some((section) => section !== "silence" && section !== "soak")) {
    for (let round = 0; round < rounds; round += 1) {
      tell(`round ${round + 1} of ${rounds}`);
      await runRound(bench, round, instances);
    }
  }
  if (only.includes("silence")) {
    await measureSilence(
      bench,
      targets.filter(({ variant }) => variant !== true),
    );
  }
  const soaked = instances.find(({ name }) => name === "sidecar");
  if (only.includes("soak") && soaked !== undefined) await measureSoak(bench, soaked);
}

async function run(options: BenchOptions, folder: string): Promise<number> {
  const targets = chooseTargets(options);
  const cores = allowedCores().length;
  const busy = await busyPart();
  if (busy > 0.1)
    tell(`Others keep ${Math.round(busy * 100)} % of this machine busy: take the figures as rough.`);
  const machine = describeMachine(cores, busy);
  const stage = await openStage(folder, options.install);
  const bench: Bench = { stage, options, figures: createFigures(), failed: new Map() };
  try {
    const { present, instances } = await openTargets(stage, targets);
    await measure(bench, present, instances);
    const rows = tableRows(options.silences);
    const report = formatReport(machine, options.rounds, present, { figures: bench.figures, rows });
    process.stdout.write(`\n${report}`);
    if (options.docs) {
      const file = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
      writeFileSync(file, putReport(readFileSync(file, "utf8"), report));
    }
  } finally {
    await stage.close();
  }
  for (const [name, why] of bench.failed) process.stdout.write(`\n${name} failed: ${why}\n`);
  if (options.json !== undefined) {
    const all = { machine, options, figures: bench.figures.all(), failed: Object.fromEntries(bench.failed) };
    writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
  }
  return bench.failed.size === 0 ? 0 : 1;
}

async function start(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "presto-sidecar-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return run(options, folder);
}

const code = await start().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error));
  return 1;
});
process.exit(code);
