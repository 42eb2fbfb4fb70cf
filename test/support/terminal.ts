import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { vi } from "vitest";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Is there what gives a program a terminal of its own: `script` as util-linux has it? */
export const hasTerminal = /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout);

/** Keys that are typed once the terminal shows `after`. */
export interface Typed {
  readonly after: string;
  readonly keys: string;
}

export interface TerminalResult {
  readonly code: number | null;
  /** All that the terminal showed, and after the program's end what `stty -a` says of it. */
  readonly shown: string;
}

/** Runs the built program on a pseudo-terminal, with somebody who types. */
export async function runOnTerminal(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  typed: readonly Typed[],
): Promise<TerminalResult> {
  const command = [process.execPath, main, ...argv].map((word) => `'${word}'`).join(" ");
  const child = spawn(
    "script",
    ["--quiet", "--return", "--command", `${command}; code=$?; stty -a; exit $code`, "/dev/null"],
    { env: { PATH: process.env["PATH"], SHELL: "/bin/sh", ...env }, stdio: ["pipe", "pipe", "inherit"] },
  );
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text));
  const ended = once(child, "close");
  for (const { after, keys } of typed) {
    await vi.waitUntil(() => shown.includes(after) || child.exitCode !== null, 15_000);
    child.stdin.write(keys);
  }
  await ended;
  return { code: child.exitCode, shown };
}
