import { parseArgs } from "node:util";

import { CommandError } from "../errors.ts";
import { nearestName } from "../lib/nearest-name.ts";
import type { Arguments, Command } from "./command.ts";

/** What a command line asks for. */
export type Request =
  | { readonly kind: "run"; readonly command: Command; readonly args: Arguments }
  | { readonly kind: "help"; readonly command: Command | undefined }
  | { readonly kind: "version" }
  | { readonly kind: "nothing" };

/**
 * Reads a command line. What was typed is repeated in a message only where it is nearly a
 * name that exists: anything else may be a secret in the wrong place.
 * @throws CommandError `usage`
 */
export function parseCommandLine(argv: readonly string[], commands: readonly Command[]): Request {
  const [first, ...rest] = argv;
  if (first === undefined) return { kind: "nothing" };
  if (first === "--version" || first === "-V" || first === "version") return { kind: "version" };
  if (first === "--help" || first === "-h") return { kind: "help", command: undefined };
  if (first === "help") {
    return { kind: "help", command: rest.length === 0 ? undefined : findCommand(rest, commands).command };
  }
  const { command, words } = findCommand(argv, commands);
  return parseOptions(command, argv.slice(words));
}

function findCommand(
  argv: readonly string[],
  commands: readonly Command[],
): { command: Command; words: number } {
  for (const words of [2, 1]) {
    const typed = argv.slice(0, words);
    const command =
      typed.length === words ? commands.find((each) => each.name === typed.join(" ")) : undefined;
    if (command !== undefined) return { command, words };
  }
  const group = commands.filter((each) => each.name.startsWith(`${argv[0]} `));
  if (group.length > 0 && (argv[1] === undefined || argv[1].startsWith("-"))) {
    throw new CommandError(
      "usage",
      `"${argv[0]}" is followed by one more word: ${group.map((each) => each.name).join(", ")}.`,
    );
  }
  const meant = nearestCommand(argv, commands);
  throw new CommandError("usage", `There is no such command${meant}. "presto-sidecar help" lists them.`);
}

function nearestCommand(argv: readonly string[], commands: readonly Command[]): string {
  const names = commands.map((each) => each.name);
  for (const words of [2, 1]) {
    const typed = argv.slice(0, words).join(" ");
    const near = nearestName(typed, names);
    if (near !== undefined) return ` as "${typed}"; there is "${near}"`;
  }
  return "";
}

function parseOptions(command: Command, argv: readonly string[]): Request {
  const { tokens } = parseArgs({
    args: [...argv],
    options: {
      help: { type: "boolean", short: "h" },
      ...Object.fromEntries(
        Object.entries(command.options).map(([name, option]) => [
          name,
          { type: option.value === undefined ? ("boolean" as const) : ("string" as const) },
        ]),
      ),
    },
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const values = new Map<string, string | true>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (operands.length === (command.operands?.most ?? 0)) throw refusal(command, tooMany(command));
      operands.push(token.value);
      continue;
    }
    if (token.kind === "option-terminator") continue;
    if (token.name === "help") return { kind: "help", command };
    const option = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined;
    if (option === undefined)
      throw refusal(command, `has no such option${nearestOption(token.rawName, command)}`);
    if (option.value === undefined) {
      if (token.value !== undefined) throw refusal(command, `takes no value for --${token.name}`);
      values.set(token.name, true);
      continue;
    }
    if (
      token.value === undefined ||
      token.value === "" ||
      (!token.inlineValue && token.value.startsWith("-"))
    ) {
      throw refusal(command, `needs a value for --${token.name}: --${token.name} ${option.value}`);
    }
    values.set(token.name, token.value);
  }
  if (command.operands !== undefined && operands.length === 0)
    throw refusal(command, `needs ${command.operands.name}`);
  return {
    kind: "run",
    command,
    args: {
      operands,
      flag: (name) => values.get(name) === true,
      text: (name) => {
        const value = values.get(name);
        return value === true ? undefined : value;
      },
    },
  };
}

function tooMany({ operands }: Command): string {
  return operands === undefined
    ? "takes no arguments"
    : `takes no more than ${operands.most} of ${operands.name}`;
}

function nearestOption(typed: string, command: Command): string {
  const names = [...Object.keys(command.options), "help"].map((name) => `--${name}`);
  const near = nearestName(typed, names);
  return near === undefined ? "" : ` as "${typed}"; there is "${near}"`;
}

function refusal(command: Command, what: string): CommandError {
  const instead = command.insteadOfArguments === undefined ? "" : ` ${command.insteadOfArguments}`;
  const help = `"presto-sidecar ${command.name} --help" tells more.`;
  return new CommandError("usage", `"${command.name}" ${what}.${instead} ${help}`);
}

const lineWidth = 80;

/** What `presto-sidecar help` prints: every command with its summary. */
export function describeProgram(commands: readonly Command[]): string {
  const rows = commands.map((command): Row => [command.name, command.summary]);
  return [
    "Usage: presto-sidecar COMMAND [OPTIONS]",
    "",
    "A sidecar that attaches the live bearer token of the Presto API to an app's plain calls.",
    "It is configured by environment variables alone; docs/configuration.md lists them.",
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
    `Usage: presto-sidecar ${command.name}${rows.length > 0 ? " [OPTIONS]" : ""}${command.operands === undefined ? "" : ` ${command.operands.name}`}`,
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
