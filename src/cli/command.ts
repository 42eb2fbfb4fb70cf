import type { Clock } from "../clock.ts";

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
export interface Io {
  /** The environment, as `config/` reads it. */
  readonly env: NodeJS.ProcessEnv;
  /** Node's own arguments, as `config/` reads them. */
  readonly execArgv: readonly string[];
  readonly stdin: Source;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Aborted by the first SIGINT or SIGTERM, with a `StopSignal` as its reason. */
  readonly signal: AbortSignal;
  /** Calls back at every SIGHUP; where nobody asked, SIGHUP ends the process as usual. */
  readonly onHangup: (run: () => void) => void;
  readonly clock: Clock;
}

/** The options that a command was given, checked against its row of the table. */
export interface Arguments {
  /** Was `--name` given? */
  flag(name: string): boolean;
  /** The value of `--name VALUE`, or undefined where it was not given. */
  text(name: string): string | undefined;
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

/** A row of the table of commands: what the help, the parser and the README's table are made from. */
export interface Command {
  /** One word or two: `check`, `token import`. */
  readonly name: string;
  /** For the list of commands: half a sentence, no full stop. */
  readonly summary: string;
  /** For the command's own help: what it does, and which exit codes mean what. */
  readonly description: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  readonly examples: readonly string[];
  /** What to do instead, where somebody gave an argument. */
  readonly insteadOfArguments?: string;
  /** True if the command watches `io.signal` and ends in its own way; others end at the first signal. */
  readonly stopsItself?: boolean;
  /** Loads the code only now: a `healthcheck` must not load a server. */
  load(): Promise<Run>;
}
