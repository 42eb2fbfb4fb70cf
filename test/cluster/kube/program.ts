import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { endWithUs } from "../end-with-us.ts";

/** A program of a cluster, in the background. */
export interface Program {
  hasEnded(): boolean;
  /** The end of its log. */
  said(): Promise<string>;
  /** Kills it: none of them keeps what another test would miss. */
  stop(): Promise<void>;
}

/** Starts it in a folder, where its log is; it ends with us. */
export function launch(program: string, args: readonly string[], folder: string): Program {
  const path = join(folder, `${basename(program)}.log`);
  const log = openSync(path, "a");
  const env = { PATH: "", HOME: folder };
  const child = endWithUs(spawn(program, args, { cwd: folder, stdio: ["ignore", log, log], env }));
  closeSync(log);
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    said: async () => (await readFile(path, "utf8")).slice(-2_000),
    async stop() {
      if (hasEnded()) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
