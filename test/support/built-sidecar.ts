import { startCli } from "./built-cli.ts";
import type { CliOptions } from "./built-cli.ts";
import type { StartedProgram } from "./issuing-program.ts";

/** What starts a bench's sidecars by the built program. */
export function startBuilt(
  options: Omit<CliOptions, "env"> = {},
): (env: Readonly<Record<string, string | undefined>>) => StartedProgram {
  return (env) => {
    const { child, out, err, ended } = startCli(["start"], { ...options, env });
    const listening = new Promise<string>((resolve) => {
      child.stdout?.on("data", () => {
        if (out().includes("The sidecar listens.")) resolve(out());
      });
      void ended.then(() => resolve(out() + err()));
    });
    return { child, log: out, listening: () => listening, ended };
  };
}
