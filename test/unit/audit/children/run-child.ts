import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { onTestFinished } from "vitest";

/** Runs a program beside this one; it is killed at the end of the test. */
export function runChild(
  name: string,
  argv: readonly string[],
  by: readonly string[] = [],
): { readonly child: ChildProcess; readonly output: () => string } {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const [command = process.execPath, ...rest] = [...by, process.execPath, file, ...argv];
  const child = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, output: () => output };
}
