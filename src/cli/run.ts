import { systemClock } from "../clock.ts";
import { readEnvironment } from "../config/unsafe-environment.ts";
import { exitCodes, CommandError, systemCode } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { version } from "../lib/version.ts";
import { StoreError, type StoreErrorCode } from "../store/contract.ts";
import type { Arguments, Command, Io } from "./command.ts";
import { commands } from "./commands.ts";
import { describeCommand, describeProgram, parseCommandLine } from "./parse.ts";
import { StopSignal, watchSignals } from "./signals.ts";
import { printError, printLine } from "./terminal.ts";

/** Runs this process's command line, and ends the process with the command's exit code. */
export async function runProcess(process: NodeJS.Process): Promise<void> {
  const die = (error: unknown): void => {
    // Nothing is printed but the error's kind and place: its message may hold anything.
    process.stderr.write(`presto-sidecar: ${describeDefect(error)}\n`);
    process.exit(exitCodes.unexpected);
  };
  let outputLost = false;
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  for (const stream of [process.stdout, process.stderr]) {
    // Whoever read our output (`| head`) may have gone: that is no failure of ours. A full disk is one, told by
    // the exit code at the end: nothing that is under way is given up for lines that nobody can write.
    stream.on("error", (error) => {
      if (systemCode(error) !== "EPIPE") outputLost = true;
    });
  }
  // Should nothing be left to wait for before the command is done, the process must not end as if it were.
  process.exitCode = exitCodes.unexpected;
  const { variables, execArgv } = readEnvironment();
  const { signal, onHangup } = watchSignals(process);
  const code = await runCommand(process.argv.slice(2), {
    env: variables,
    execArgv,
    // Node makes the stream at the first look at it, which most commands never take.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    signal,
    onHangup,
    clock: systemClock,
  });
  // The log of a running sidecar counts its lost lines itself.
  if (code === 0 && process.argv[2] !== "start") {
    await new Promise<void>((resolve) => {
      process.stdout.write("", () => resolve());
    });
    if (outputLost) process.exit(exitCodes["system-refused"]);
  }
  process.exit(code);
}

/**
 * Runs a command line to its end. Never rejects: whatever went wrong is told on standard
 * error in a line that holds no secret.
 * @param argv what follows the program's name
 * @returns the exit code
 */
export async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  try {
    const request = parseCommandLine(argv, commands);
    switch (request.kind) {
      case "nothing":
        io.stderr.write(describeProgram(commands));
        return exitCodes.usage;
      case "version":
        printLine(io, version());
        return 0;
      case "help":
        io.stdout.write(
          request.command === undefined ? describeProgram(commands) : describeCommand(request.command),
        );
        return 0;
      case "run":
        return await runUntilStopped(request.command, request.args, io);
    }
  } catch (error) {
    const exit = exitOf(error);
    if (exit.message !== undefined) printError(io, exit.message);
    return exit.code;
  }
}

async function runUntilStopped(command: Command, args: Arguments, io: Io): Promise<number> {
  const run = await command.load();
  const running = run(args, io);
  return command.stopsItself === true ? running : untilStopped(io.signal, running);
}

/** How a command that failed ends. */
export interface Exit {
  readonly code: number;
  /** For standard error; undefined where there is nothing to say. Never holds a secret. */
  readonly message: string | undefined;
}

/**
 * A record that can't be read is a matter of configuration: trying again does not help,
 * and nothing may be overwritten. One that is not there yet is simply no token; and a server
 * may be away, or refuse.
 */
const storeExits: Readonly<Record<StoreErrorCode, number>> = {
  unreadable: exitCodes.configuration,
  unreachable: exitCodes.unreachable,
  refused: exitCodes.refused,
  "wrong-key": exitCodes.configuration,
  damaged: exitCodes.configuration,
  "newer-schema": exitCodes.configuration,
  "bad-token": exitCodes.configuration,
  "bad-credentials": exitCodes.configuration,
  "not-yet": exitCodes["no-token"],
};

/** The exit code and the message of an error that ended a command. */
export function exitOf(error: unknown): Exit {
  if (error instanceof CommandError) return { code: error.exitCode, message: error.message };
  if (error instanceof StoreError) return { code: storeExits[error.code], message: error.message };
  if (error instanceof StopSignal) return { code: error.exitCode, message: undefined };
  return { code: exitCodes.unexpected, message: describeDefect(error) };
}

/**
 * One line about an error that nobody foresaw. Its message and its stack's first line are
 * left out: they may quote what was being worked on. Its kind and the place suffice for a report.
 */
export function describeDefect(error: unknown): string {
  const kind = error instanceof Error ? error.name : typeof error;
  const code =
    typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
      ? error.code
      : "";
  const place = error instanceof Error ? firstFrame(error) : undefined;
  const what = [kind, code].filter((part) => /^[A-Za-z][A-Za-z0-9_]*$/.test(part)).join(" ");
  return `It failed in a way that was not foreseen (${what === "" ? "no name" : what}${place === undefined ? "" : ` at ${place}`}). This is a defect: please report this line.`;
}

/** `file.js:12:3` of the innermost frame; never the path of the folder, which may name people. */
function firstFrame({ message, stack = "" }: Error): string | undefined {
  // A stack begins with the message, whose lines may look like frames.
  const start = stack.indexOf(message);
  if (start < 0) return undefined;
  const frames = stack
    .slice(start + message.length)
    .split("\n")
    .slice(1);
  const frame = frames.find((line) => /^\s+at /.test(line)) ?? "";
  return /([\w.-]+\.[cm]?[jt]s:\d+:\d+)\)?$/.exec(frame)?.[1];
}
