import { systemClock } from "../clock.ts";
import { readEnvironment } from "../config/unsafe-environment.ts";
import { exitCodes, systemCode } from "../errors.ts";
import { describeDefect } from "./exit.ts";
import { watchSignals } from "./process-signals.ts";
import { runCommand } from "./run-command.ts";

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
