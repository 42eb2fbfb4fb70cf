import { systemClock } from "../clock.ts";
import { readEnvironment } from "../config/unsafe-environment.ts";
import { exitCodes, systemCode } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { version } from "../lib/version.ts";
import { tellUnwaited } from "../observe/standard-output.ts";
import type { Arguments, Command, Io } from "./command.ts";
import { commands } from "./commands.ts";
import { describeDefect, endProcess, exitOf } from "./exit.ts";
import { describeCommand, describeGroup, describeProgram, parseCommandLine } from "./parse.ts";
import { watchSignals } from "./signals.ts";
import { printError, printLine } from "./terminal.ts";

/** Runs this process's command line, and ends the process with the command's exit code. */
export async function runProcess(process: NodeJS.Process): Promise<void> {
  const { signal, onHangup, beforeExit, end } = watchSignals(
    { on: (name, run) => process.on(name, run), exit: (code) => endProcess(process, code) },
    systemClock,
  );
  const die = (error: unknown): void => {
    // Nothing is printed but the error's kind and place: its message may hold anything.
    const what = describeDefect(error);
    tellUnwaited(`presto-sidecar: ${what}\n`);
    end(exitCodes.unexpected, what);
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
    beforeExit,
    clock: systemClock,
  });
  // The log of a sidecar that ran, which takes no argument, counts its lost lines itself.
  const ranSidecar = process.argv[2] === "start" && process.argv.length === 3;
  if (code === 0 && !ranSidecar) {
    await new Promise<void>((resolve) => {
      process.stdout.write("", () => resolve());
    });
    if (outputLost) endProcess(process, exitCodes["system-refused"]);
  }
  endProcess(process, code);
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
      case "group-help":
        io.stdout.write(describeGroup(request.group));
        return 0;
      case "variable-help": {
        // The table and what reads it is loaded only now: a health check must not load it.
        const { describeVariable, describeVariables } = await import("./help-variables.ts");
        io.stdout.write(request.name === undefined ? describeVariables() : describeVariable(request.name));
        return 0;
      }
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
