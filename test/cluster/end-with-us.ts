import type { ChildProcess } from "node:child_process";

/** Whoever started it may end in the middle; a server must not go on alone. */
export function endWithUs(child: ChildProcess): ChildProcess {
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.removeListener("exit", end));
  return child;
}
