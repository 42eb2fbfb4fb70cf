import { parseCount } from "../config/parse.ts";
import { CommandError, systemCode } from "../errors.ts";
import { LibraryMissingError, loadX509 } from "../sandbox/certificates.ts";
import { runSandbox } from "../sandbox/run.ts";
import { type Arguments, parseOption, type Run } from "./command.ts";
import { printLine } from "./terminal.ts";

/** Runs the stand-in for Presto until Ctrl-C. */
export const sandbox: Run = async (args, io) => {
  const directory = args.text("directory");
  const port = portOf(args, "port");
  const controlPort = portOf(args, "control-port");
  await requireSandbox();
  try {
    await runSandbox({
      write: (line) => printLine(io, line),
      signal: io.signal,
      ...(directory === undefined ? {} : { directory }),
      ...(port === undefined ? {} : { port }),
      ...(controlPort === undefined ? {} : { controlPort }),
    });
    return 0;
  } catch (error) {
    const code = systemCode(error);
    // Nothing of a system's error is secret here: it names a port or a path.
    if (code === undefined || !/^E[A-Z0-9]+$/.test(code) || !(error instanceof Error)) throw error;
    throw new CommandError("system-refused", `The sandbox can't run: ${error.message}`, error);
  }
};

function portOf(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  return text === undefined ? undefined : parseOption(name, text, parseCount, "Write a port such as 7443.");
}

/**
 * For the commands that need the stand-in, before they do anything.
 * @throws CommandError `usage` where its certificate library was left out, as in the image of the sidecar
 */
export async function requireSandbox(): Promise<void> {
  try {
    await loadX509();
  } catch (error) {
    if (!(error instanceof LibraryMissingError)) throw error;
    throw new CommandError(
      "usage",
      '"sandbox" and "demo" need the library that makes certificates, @peculiar/x509, which the image of the sidecar leaves out. They run in a clone of the project (npm ci && npm run demo) and in the image that "docker build --target sandbox ." makes.',
      error,
    );
  }
}
