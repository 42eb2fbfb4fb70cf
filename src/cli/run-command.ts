import { exitCodes } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { version } from "../lib/version.ts";
import { parseCommandLine } from "./command-line.ts";
import type { Arguments, Command, Io } from "./command.ts";
import { commands } from "./commands.ts";
import { exitOf } from "./exit.ts";
import { describeCommand, describeProgram } from "./help.ts";
import { printError, printLine } from "./output.ts";

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
        printLine(io, await version());
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
