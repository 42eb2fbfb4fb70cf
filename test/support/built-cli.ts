import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Its first file. */
export const builtMain = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** How the built program is run. */
export interface CliOptions {
  /** The whole environment, but for PATH. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Standard input, which then ends; without it, standard input is empty. */
  readonly stdin?: string;
  /** Node to run it by; the test's own unless given. */
  readonly node?: string;
  /** The program's first file; that of the last build unless given. */
  readonly main?: string;
  /** Node's own arguments. */
  readonly nodeArgs?: readonly string[];
  /** Descriptor that standard output goes to; what is written is then not seen here. */
  readonly stdout?: number;
}

/** The built program, running. */
export interface RunningCli {
  readonly child: ChildProcess;
  /** Standard output so far. */
  readonly out: () => string;
  /** Standard error so far. */
  readonly err: () => string;
  /** Exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** What a run of the built program came to. */
export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts `node dist/main.js ARGV`. Whoever starts one that does not end by itself must end it. */
export function startCli(argv: readonly string[], options: CliOptions = {}): RunningCli {
  const { node = process.execPath, nodeArgs = [], main = builtMain } = options;
  const child = spawn(node, [...nodeArgs, main, ...argv], {
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: ["pipe", options.stdout ?? "pipe", "pipe"],
  });
  const written = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (written.out += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (written.err += text));
  // It may end without having read what it was given.
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.stdin ?? "");
  const ended = once(child, "close").then(() => child.exitCode);
  return { child, out: () => written.out, err: () => written.err, ended };
}

/** Runs it to its end. */
export async function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const running = startCli(argv, options);
  const code = await running.ended;
  return { code, out: running.out(), err: running.err() };
}
