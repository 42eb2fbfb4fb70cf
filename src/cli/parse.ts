import { parseArgs } from "node:util";

import { CommandError } from "../errors.ts";
import { nearestName } from "../lib/nearest-name.ts";
import type { Arguments, Command } from "./command.ts";

/** What a command line asks for. */
export type Request =
  | { readonly kind: "run"; readonly command: Command; readonly args: Arguments }
  | { readonly kind: "help"; readonly command: Command | undefined }
  /** Of commands that begin with the same word. */
  | { readonly kind: "group-help"; readonly group: readonly Command[] }
  /** Of one variable, or, undefined, of all. Who shows it knows the table, and refuses a name that is not there. */
  | { readonly kind: "variable-help"; readonly name: string | undefined }
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
  if (versionWords.has(first)) return { kind: "version" };
  if (helpOptions.has(first)) return { kind: "help", command: undefined };
  if (first === "help") return parseHelp(rest, commands);
  const group = groupOf(first, commands);
  if (group.length > 0 && rest[0] !== undefined && helpOptions.has(rest[0]))
    return { kind: "group-help", group };
  const { command, words } = findCommand(argv, commands);
  return parseOptions(command, argv.slice(words));
}

const versionWords = new Set(["--version", "-V", "-v", "version"]);
const helpOptions = new Set(["--help", "-h"]);

function parseHelp(words: readonly string[], commands: readonly Command[]): Request {
  const topic = words.filter((word) => !helpOptions.has(word));
  const [first, ...rest] = topic;
  if (first === undefined) return { kind: "help", command: undefined };
  if (rest.length === 0) {
    if (first === "help") return { kind: "help", command: undefined };
    if (first === "variables") return { kind: "variable-help", name: undefined };
    if (/^[A-Z][A-Z0-9_]*$/.test(first)) return { kind: "variable-help", name: first };
    const group = groupOf(first, commands);
    if (group.length > 0) return { kind: "group-help", group };
  }
  const found = findCommand(topic, commands);
  if (topic.length > found.words)
    throw new CommandError("usage", '"help" takes the name of one command, or of one variable.');
  return { kind: "help", command: found.command };
}

/** The commands of two words of which this is the first; none where it is a command by itself. */
function groupOf(word: string, commands: readonly Command[]): readonly Command[] {
  if (commands.some((each) => each.name === word)) return [];
  return commands.filter((each) => each.name.startsWith(`${word} `));
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
      // A negative number is a value: whoever reads it says what is wrong with it.
      (!token.inlineValue && /^-(?!\d)/.test(token.value))
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

export const lineWidth = 80;

/** What `presto-sidecar help` prints: every command with its summary. */
export function describeProgram(commands: readonly Command[]): string {
  const rows = commands.map((command): Row => [command.name, command.summary]);
  return [
    "Usage: presto-sidecar COMMAND [OPTIONS]",
    "",
    "A sidecar that attaches the live bearer token of the Presto API to an app's plain calls.",
    'It is configured by environment variables alone; "help variables" lists them.',
    "",
    "Commands:",
    ...columns([
      ...rows,
      ["help [COMMAND]", "print this, or a command's own help"],
      ["help variables", "print what each environment variable does; help VARIABLE prints one"],
      ["--version", "print the version"],
    ]),
    "",
    "Every command has --help.",
    "",
  ].join("\n");
}

/** What the first word of several commands prints with `--help`: those, with their summaries. */
export function describeGroup(group: readonly Command[]): string {
  const [word] = group[0]?.name.split(" ") ?? [];
  return [
    `Usage: presto-sidecar ${word} COMMAND [OPTIONS]`,
    "",
    "Commands:",
    ...columns(group.map((command): Row => [command.name, command.summary])),
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

/** Breaks a text into lines at its spaces. */
export function wrap(text: string, width: number): string[] {
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
