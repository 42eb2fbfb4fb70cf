import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface ProgramOptions {
  /** The whole environment, but for PATH. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  /** Node's own arguments. */
  readonly nodeArgs?: readonly string[];
}

/** The program, run from its sources in a process of its own. */
export interface RunningProgram {
  readonly child: ChildProcess;
  /** Standard output and standard error so far. */
  output(): string;
  /** Waits until the output holds this, or the process has ended. */
  says(text: string | RegExp): Promise<string>;
  /** Exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts `node src/main.ts ARGV`: no build is needed. Whoever starts one that does not end by itself must end it. */
export function startProgram(argv: readonly string[], options: ProgramOptions = {}): RunningProgram {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), main, ...argv], {
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  let over = false;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      wake();
    });
  }
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");
  const ended = once(child, "close").then(() => {
    over = true;
    wake();
    return child.exitCode;
  });
  return {
    child,
    output: () => output,
    says: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!over && !(typeof text === "string" ? output.includes(text) : text.test(output))) return;
          watchers.delete(look);
          resolve(output);
        };
        watchers.add(look);
        look();
      }),
    ended,
  };
}

/** Starts `start`, and answers once it listens: with the port that the system chose for the proxy, and for the others. */
export async function startServing(
  options: ProgramOptions,
): Promise<
  RunningProgram & { readonly port: number; readonly adminPort: number; readonly controlPort: number }
> {
  const program = startProgram(["start"], options);
  const output = await program.says("The sidecar listens.");
  const portOf = (name: string): number =>
    Number(new RegExp(`"${name}":"127\\.0\\.0\\.1:(\\d+)`).exec(output)?.[1]);
  if (Number.isNaN(portOf("listen"))) throw new Error(`it does not listen: ${output}`);
  return { ...program, port: portOf("listen"), adminPort: portOf("admin"), controlPort: portOf("control") };
}
