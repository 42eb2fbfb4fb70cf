import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";

import { commands } from "../src/cli/commands.ts";
import { unsafeFlags, unsafeVariables } from "../src/config/unsafe-environment.ts";
import { rowOf, variableNames } from "../src/config/variables.ts";
import { exitCodes, type CommandErrorCode, problems } from "../src/errors.ts";
import { walletOperations } from "../src/policy/operations.ts";
import { controlVerbs } from "../src/sandbox/control.ts";
import { faultKinds } from "../src/sandbox/fault-kinds.ts";
import { alertRows, latchTable } from "./alerts.ts";
import { callerPrograms, decisionRows } from "./caller-tables.ts";
import { chartFormsFile, chartSchemaFile, makeChartForms, makeChartSchema } from "./chart-schema.ts";
import { chartValueRows } from "./chart-values.ts";
import { dashboardFile, makeDashboard } from "./dashboard.ts";
import { layers, sandbox } from "./lint/layers.ts";
import { logFieldRows, logLineRows } from "./log-lines.ts";
import { metricCells, metricHead, metricTables } from "./metric-tables.ts";

// Writes into README.md, docs/*.md and the chart's README what is known from the code, between
// `<!-- made from the code: NAME -->` and `<!-- end -->`, and the schema of the chart's values with
// the forms that its templates check, and its dashboard.
// With `--check` it writes nothing and fails where the two differ.

/** Makes one block of Markdown. */
export type Generator = () => string;

/** Which block each NAME stands for. A new table is a new row here. */
export const generators: ReadonlyMap<string, Generator> = new Map([
  ["configuration", configurationTable],
  ["environment", environmentTable],
  ["problems", problemTable],
  ["exit-codes", exitCodeTable],
  ["commands", commandTable],
  ["operations", operationTable],
  ["faults", faultTable],
  ["sandbox-verbs", verbTable],
  ["log-lines", () => table(...logLineRows())],
  ["log-fields", () => table(...logFieldRows())],
  ...Object.entries(metricTables).map(
    ([name, rows]) => [name, () => table(metricHead, metricCells(rows))] as const,
  ),
  ["chart-values", () => table(["value", "default", "meaning"], chartValueRows())],
  ["alerts", () => table(...alertRows())],
  ["latches", () => table(...latchTable())],
  ["decisions", () => table(...decisionRows("docs/"))],
  ["decisions-here", () => table(...decisionRows(""))],
  ...callerPrograms,
  ["layers", layerTable],
  ["layers-picture", layerPicture],
]);

function configurationTable(): string {
  const rows = variableNames.map((name) => {
    const { fallback, fallbackNote, derived, meaning } = rowOf(name);
    const note = derived?.note ?? fallbackNote;
    return [`\`${name}\``, note ?? (fallback === undefined ? "" : `\`${fallback}\``), meaning];
  });
  return table(["variable", "default", "meaning"], rows);
}

function environmentTable(): string {
  const variables = unsafeVariables.map(({ name, onlyWith, exceptWith, reason }) => {
    const which = onlyWith === undefined ? `\`${name}\`` : `\`${name}=${onlyWith}\``;
    return [exceptWith === undefined ? which : `${which} (other than \`${exceptWith}\`)`, reason];
  });
  const flags = unsafeFlags.map(({ name, reason }) => [
    `\`${name}\` in \`NODE_OPTIONS\`, or behind \`node\``,
    reason,
  ]);
  return table(["refused", "because it"], [...variables, ...flags]);
}

function problemTable(): string {
  const rows = Object.entries(problems)
    .toSorted(([, one], [, other]) => one.status - other.status)
    .map(([code, { status, title, outcome, mayRepeat }]) => [
      `${status}`,
      `\`${code}\``,
      `\`${outcome}\``,
      mayRepeat ? "yes" : "no",
      title,
    ]);
  return table(["status", "code", "outcome, as a rule", "retryable if not sent", "meaning"], rows);
}

const exitMeanings: Readonly<Record<CommandErrorCode, string>> = {
  unexpected: "unexpected error; `healthcheck`: not ready; `start`: calls were cut off at `PRESTO_DRAIN_MAX`",
  usage: "usage: no such command or option",
  "input-refused":
    "input refused (`token import`, `credentials import`, `password reset` of what can't be right)",
  "no-token": "no token there (`token show`, `doctor`)",
  unreachable: "Presto, the store or (for `drain`, `quit`, `status`) the sidecar can't be reached",
  "system-refused": "the system refused: port in use, socket, file system",
  "try-again": "try again later: a lock is held, `wait` ran out of time",
  refused: "refused by Presto, by the store, or by the role",
  configuration: "configuration, or a wrong store key",
};

function isFailureCode(code: string): code is CommandErrorCode {
  return Object.hasOwn(exitCodes, code);
}

function exitCodeTable(): string {
  const rows = Object.keys(exitCodes)
    .filter(isFailureCode)
    .map((code) => [`${exitCodes[code]}`, exitMeanings[code]]);
  return table(
    ["code", "meaning"],
    [["0", "done, or a clean drain"], ...rows, ["130, 143", "ended by a second SIGINT or SIGTERM"]],
  );
}

function commandTable(): string {
  return table(
    ["command", "does"],
    commands.map(({ name, summary, options }) => {
      const given = Object.entries(options).map(
        ([option, { value }]) => ` [--${option}${value === undefined ? "" : ` ${value}`}]`,
      );
      return [`\`${name}${given.join("")}\``, summary];
    }),
  );
}

function operationTable(): string {
  const rows = walletOperations.map(({ name, method, template, nature, reconcile }) => [
    `\`${name}\``,
    `\`${method} ${template}\``,
    nature,
    reconcile === undefined ? "" : `by its \`${reconcile.member}\`, with \`GET ${reconcile.path}\``,
  ]);
  return table(["operation", "is", "nature", "what became of it is asked for"], rows);
}

function faultTable(): string {
  return table(
    ["fault", "does"],
    Object.entries(faultKinds).map(([kind, { does }]) => [`\`${kind}\``, does]),
  );
}

function verbTable(): string {
  return table(
    ["verb", "does", "body, for example"],
    controlVerbs.map(({ method, path, does, example }) => [
      `\`${method} ${path}\``,
      does,
      example === undefined ? "" : `\`${example}\``,
    ]),
  );
}

function layerTable(): string {
  const rows = layers.flatMap((row, index) =>
    Object.entries(row).map(([name, is]) => [`${index + 1}`, `\`${name}\``, is]),
  );
  const beside = Object.entries(sandbox).map(([name, is]) => ["beside", `\`${name}\``, is]);
  return table(["layer", "in `src`", "is"], [...rows, ...beside]);
}

/** Each layer with an arrow to the one below it, which it may import, as whatever is below that. */
function layerPicture(): string {
  const [beside = ""] = Object.keys(sandbox);
  const names = layers.map((row) => Object.keys(row));
  const arrows = names.flatMap((row, index) => {
    const below = names[index + 1];
    return below === undefined ? [] : [`  ${row.join(" & ")} --> ${below.join(" & ")}`];
  });
  return ["```mermaid", "flowchart TB", ...arrows, `  cli -.-> ${beside}`, "```"].join("\n");
}

/** A GitHub table in the shape that the formatter leaves alone: columns padded to their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [first = [], ...others] = cells;
  return [line(first), line(widths.map((width) => "-".repeat(width))), ...others.map(line)].join("\n");
}

const marked = /<!-- made from the code: (\S+) -->[\s\S]*?<!-- end -->/g;

/**
 * Fills every marked place of a text.
 * @throws Error at a name that no generator has, or a mark without its end
 */
export function fill(text: string, from: ReadonlyMap<string, Generator>): string {
  const whole = text.match(marked)?.length ?? 0;
  if (count(text, "<!-- made from the code:") !== whole || count(text, "<!-- end -->") !== whole) {
    throw new Error("a mark has no end, or an end no mark");
  }
  return text.replaceAll(marked, (_, name: string) => {
    const generate = from.get(name);
    if (generate === undefined)
      throw new Error(`nothing makes "${name}"; known are ${[...from.keys()].join(", ")}`);
    return `<!-- made from the code: ${name} -->\n\n${generate()}\n\n<!-- end -->`;
  });
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** A file, and what makes its text of the one that it has. */
type Made = readonly [file: string, make: (text: string) => string];

function madeFiles(): readonly Made[] {
  const documents = [
    "README.md",
    "helm/presto-sidecar/README.md",
    ...globSync("docs/*.md").toSorted(),
  ].filter((file) => existsSync(file));
  return [
    ...documents.map((file): Made => [file, (text) => fill(text, generators)]),
    [chartSchemaFile, makeChartSchema],
    [chartFormsFile, makeChartForms],
    [dashboardFile, makeDashboard],
  ];
}

/** @returns the files that differ from the code, or could not be made */
function run(check: boolean): string[] {
  return madeFiles().flatMap(([file, make]) => {
    const text = readFileSync(file, "utf8");
    let made: string;
    try {
      made = make(text);
    } catch (error) {
      return [`${file}: ${error instanceof Error ? error.message : String(error)}`];
    }
    if (made === text) return [];
    if (check) return [`${file} differs from the code; run: node tools/docs.ts`];
    writeFileSync(file, made);
    console.log(`${file} was written anew`);
    return [];
  });
}

if (import.meta.main) {
  process.chdir(new URL("..", import.meta.url).pathname);
  const faults = run(process.argv.includes("--check"));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
