import type { Command } from "./command.ts";

const lineWidth = 80;

/** What `presto-sidecar help` prints: every command with its summary. */
export function describeProgram(commands: readonly Command[]): string {
  const rows = commands.map((command): Row => [command.name, command.summary]);
  return [
    "Usage: presto-sidecar COMMAND [OPTIONS]",
    "",
    "A sidecar that attaches the live bearer token of the Presto API to an app's plain calls.",
    "It is configured by environment variables alone; the README lists them.",
    "",
    "Commands:",
    ...columns([
      ...rows,
      ["help [COMMAND]", "print this, or a command's own help"],
      ["--version", "print the version"],
    ]),
    "",
    "Every command has --help.",
    "",
  ].join("\n");
}

/** What `presto-sidecar COMMAND --help` prints. */
export function describeCommand(command: Command): string {
  const rows = Object.entries(command.options).map(([name, option]): Row => [
    option.value === undefined ? `--${name}` : `--${name} ${option.value}`,
    option.summary,
  ]);
  return [
    `Usage: presto-sidecar ${command.name}${rows.length > 0 ? " [OPTIONS]" : ""}`,
    "",
    ...wrap(command.description, lineWidth),
    "",
    "Options:",
    ...columns([...rows, ["--help", "print this"]]),
    "",
    command.examples.length === 1 ? "Example:" : "Examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}

type Row = readonly [name: string, summary: string];

function columns(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, summary]) => {
    const [first, ...rest] = wrap(summary, lineWidth - width - 4);
    return [
      `  ${name.padEnd(width)}  ${first ?? ""}`,
      ...rest.map((line) => `${" ".repeat(width + 4)}${line}`),
    ];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
