import type { Clock } from "../clock.ts";
import { InvalidValue, parseDuration } from "../config/parse.ts";
import { CommandError } from "../errors.ts";
import type { ProcessSignals } from "./signals.ts";

/** Where a command writes: standard output and standard error, or a test's own. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Where a command reads: standard input, or a test's own stream. */
export interface Source extends NodeJS.ReadableStream {
  readonly isTTY?: boolean | undefined;
  setRawMode?(on: boolean): unknown;
}

/** All that a command touches of the process that it runs in. */
export interface Io extends Pick<ProcessSignals, "signal" | "onHangup" | "beforeExit"> {
  /** The environment, as `config/` reads it. */
  readonly env: NodeJS.ProcessEnv;
  /** Node's own arguments, as `config/` reads them. */
  readonly execArgv: readonly string[];
  readonly stdin: Source;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly clock: Clock;
}

/** The options that a command was given, checked against its row of the table. */
export interface Arguments {
  /** Was `--name` given? */
  flag(name: string): boolean;
  /** The value of `--name VALUE`, or undefined where it was not given. */
  text(name: string): string | undefined;
  /** What was given beside the options, in its order; nothing but where the command's row says that it takes some. */
  readonly operands: readonly string[];
}

/**
 * A command's work. Resolves to the exit code.
 * @throws CommandError or StoreError, which are told on standard error and end with their own exit codes
 */
export type Run = (args: Arguments, io: Io) => Promise<number>;

/** An option of a command; its name is the key in the command's row. */
export interface CommandOption {
  /** How the value is called in the help; absent for an option that takes none. */
  readonly value?: string;
  readonly summary: string;
}

/** A row of the table of commands: what the help, the parser and the table of docs/commands.md are made from. */
export interface Command {
  /** One word or two: `check`, `token import`. */
  readonly name: string;
  /** For the list of commands: half a sentence, no full stop. */
  readonly summary: string;
  /** For the command's own help: what it does, and which exit codes mean what. */
  readonly description: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** What it takes beside the options. One at least is needed. */
  readonly operands?: {
    /** As the help calls them: `FILE...`. */ readonly name: string;
    readonly most: number;
  };
  readonly examples: readonly string[];
  /** What to do instead, where somebody gave an argument. */
  readonly insteadOfArguments?: string;
  /** True if the command watches `io.signal` and ends in its own way; others end at the first signal. */
  readonly stopsItself?: boolean;
  /** Loads the code only now: a `healthcheck` must not load a server. */
  load(): Promise<Run>;
}

const unlessGiven = "60s";

/** How long a command may wait. */
export interface TimeLimit {
  /** As it was written: `60s`. */
  readonly text: string;
  /** Milliseconds that are left; 0 when it has run out. */
  left(): number;
}

/**
 * The limit of `--timeout`, or 60 s, counted from now.
 * @throws CommandError `usage`
 */
export function startTimeLimit(args: Arguments, io: Io): TimeLimit {
  const { text, ms } = readDurationOption(args, "timeout", unlessGiven);
  const end = io.clock.monotonic() + ms;
  return { text, left: () => Math.max(0, end - io.clock.monotonic()) };
}

/** How often a command that waits asks again. */
const askEveryMs = 200;

/**
 * Asks until it is so.
 * @param late what is told when the time is over
 * @throws CommandError `try-again`
 */
export async function waitUntil(
  io: Io,
  limit: TimeLimit,
  isSo: () => Promise<boolean>,
  late: () => string,
): Promise<void> {
  while (!(await isSo())) {
    const left = limit.left();
    if (left === 0) throw new CommandError("try-again", late());
    await io.clock.sleep(Math.min(askEveryMs, left), io.signal);
  }
}

/** A duration as it was written, and in milliseconds. */
export interface WrittenDuration {
  readonly text: string;
  readonly ms: number;
}

/**
 * The value of an option that takes a duration.
 * @throws CommandError `usage`
 */
export function readDurationOption(args: Arguments, option: string, unless: string): WrittenDuration {
  const text = args.text(option) ?? unless;
  return { text, ms: parseOption(option, text, parseDuration, "Write it like 30s.") };
}

/**
 * The value of an option, read as that of a variable is.
 * @param instead a sentence: what to write
 * @throws CommandError `usage`
 */
export function parseOption<T>(option: string, text: string, parse: (text: string) => T, instead: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new CommandError("usage", `--${option}: ${error.message}. ${instead}`, error);
  }
}
