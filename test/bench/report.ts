import { cpus, release, totalmem } from "node:os";

import type { RunFigures } from "./measure.ts";
import { judge, medianRun, priceOfLog, type Runs } from "./summary.ts";
import type { Target } from "./target.ts";

/** What the figures were measured on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(cores: number): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Without what its builder appended.
    kernel: release().split("-")[0] ?? "",
    node: process.version,
  };
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

const fixed = (value: number | undefined, digits = 0): string =>
  value === undefined ? "" : value.toFixed(digits);

function loadColumns(
  run: RunFigures,
  figure: (load: RunFigures["loads"][number]) => string,
): readonly string[] {
  return run.loads.map(figure);
}

function loadHeads(run: RunFigures): readonly string[] {
  return run.loads.map(({ kind, connections }) => `${kind === "query" ? "GET" : "POST"} c=${connections}`);
}

function describe(machine: Machine, rounds: number): string {
  const { processor, cores, memoryGiB, kernel, node } = machine;
  const many = rounds === 1 ? "One round" : `Medians of ${rounds} rounds`;
  return `${many} on ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}.`;
}

/** The figures as Markdown: read on a terminal, and kept in docs/performance.md. */
export function formatReport(
  machine: Machine,
  targets: readonly Target[],
  runs: ReadonlyMap<string, Runs>,
): string {
  const rows = targets.flatMap(({ name, title }) => {
    const of = runs.get(name);
    return of === undefined || of.length === 0 ? [] : [{ name, title, run: medianRun(of) }];
  });
  const [first] = rows;
  if (first === undefined) return "Nothing was measured.\n";
  const heads = loadHeads(first.run);
  const perLoad = (figure: (load: RunFigures["loads"][number]) => string): string =>
    table(
      ["", ...heads],
      rows.map(({ name, run }) => [name, ...loadColumns(run, figure)]),
    );
  const price = priceOfLog(runs);
  const parts = [
    describe(machine, runs.get(first.name)?.length ?? 0),
    rows.map(({ name, title }) => `- ${name}: ${title}`).join("\n"),
    `CPU, µs a request (user + system of the proxy)\n\n${perLoad((load) => fixed(load.cpuMicroseconds, 1))}`,
    `Requests a second\n\n${perLoad((load) => fixed(load.requestsPerSecond))}`,
    `p50 / p99, µs\n\n${perLoad((load) => `${load.p50Microseconds} / ${load.p99Microseconds}`)}`,
    `Memory and start\n\n${table(
      ["", "at rest, MiB", "under load, MiB", "exec to ready, ms", "healthcheck, ms"],
      rows.map(({ name, run }) => [
        name,
        fixed(run.restMiB, 1),
        fixed(run.loadMiB, 1),
        fixed(run.readyMs),
        fixed(run.healthcheckMs),
      ]),
    )}`,
    `Goals (ratios within a round, then the median)\n\n${table(
      ["", "goal", "reached", ""],
      judge(runs).map(({ goal, limit, value, met }) => [
        goal,
        limit,
        value.toFixed(2),
        met ? "met" : "not met",
      ]),
    )}`,
    ...(price === undefined
      ? []
      : [`The log's line per call costs ${price.toFixed(1)} µs of CPU a request.`]),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** The text with the report between its two marks. Throws where they are missing. */
export function putReport(text: string, report: string): string {
  const [begin, end] = ["<!-- figures: made by npm run bench -- --docs -->\n", "<!-- end of figures -->"];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw new Error("docs/performance.md has lost the marks that the figures stand between.");
  return `${text.slice(0, from + begin.length)}\n${report}\n${text.slice(to)}`;
}
