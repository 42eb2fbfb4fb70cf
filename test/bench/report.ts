import { cpus, release, totalmem } from "node:os";

import type { Figures } from "./figures.ts";
import { formatValues, judge, type Row, rowRatio, rowValues } from "./table.ts";
import type { Target } from "./target.ts";

/** What the figures were measured on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Which part of it others kept busy when it began, 0 to 1. */
  readonly busy: number;
}

export function describeMachine(cores: number, busy: number): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Without what its builder appended.
    kernel: release().split("-")[0] ?? "",
    node: process.version,
    busy,
  };
}

/** Words to the left, figures to the right. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const left = (column: number): boolean => column === 0 || column >= head.length - 2;
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return left(column) ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    left(column) ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`,
  );
  return [line(head), `|${rule.join("|")}|`, ...rows.map(line)].join("\n");
}

function describe({ processor, cores, memoryGiB, kernel, node, busy }: Machine, rounds: number): string {
  const many =
    rounds === 1
      ? "One round"
      : `Medians of ${rounds} rounds, ratios taken within a round (silences and soak: once)`;
  const others = busy > 0.1 ? ` Others kept ${Math.round(busy * 100)} % of it busy.` : "";
  return `${many}, on ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}.${others}`;
}

/** The figures as Markdown: read on a terminal, and kept in docs/performance.md. */
export function formatReport(
  machine: Machine,
  rounds: number,
  targets: readonly Target[],
  { figures, rows }: { readonly figures: Figures; readonly rows: readonly Row[] },
): string {
  const shown = targets.filter(({ variant }) => variant !== true);
  const peers = shown.filter(({ name }) => name !== "sidecar");
  const lines = rows
    .filter((row) => shown.some(({ name }) => rowValues(figures, row, name).length > 0))
    .map((row) => {
      const goals = judge(figures, row);
      return [
        row.label,
        ...shown.map(({ name }) => formatValues(row, rowValues(figures, row, name))),
        ...peers.map(({ name }) => rowRatio(figures, row, name)?.toFixed(2) ?? ""),
        goals.map(({ limit }) => limit).join(", "),
        goals.map(({ met }) => (met === undefined ? "?" : met ? "met" : "not met")).join(", "),
      ];
    });
  if (lines.length === 0) return "Nothing was measured.\n";
  const head = [
    "",
    ...shown.map(({ name }) => name),
    ...peers.map(({ name }) => `× ${name}`),
    "goal",
    "reached",
  ];
  const parts = [
    describe(machine, rounds),
    targets.map(({ name, title }) => `- ${name}: ${title}`).join("\n"),
    formatTable(head, lines),
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
