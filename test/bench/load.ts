import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { endWithUs } from "./child.ts";
import { confirmPath, queryPath } from "./upstream.ts";

/** What one load showed. Times in microseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly microseconds: number;
  /** Calls without an answer, or with one of 400 and more. Any makes the figures worthless. */
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
}

export type Kind = "query" | "confirm";

const script = fileURLToPath(new URL("load.lua", import.meta.url));
const run = promisify(execFile);

/** How to call, and for how long. */
export interface Load {
  readonly port: number;
  readonly kind: Kind;
  readonly connections: number;
  readonly seconds: number;
}

/** Calls as fast as the answers come, on so many connections. */
export async function makeLoad(
  tools: { readonly taskset: string; readonly wrk: string; readonly core: number },
  load: Load,
): Promise<LoadResult> {
  const path = load.kind === "query" ? queryPath : confirmPath;
  const call =
    load.kind === "query" ? ["GET"] : ["POST", JSON.stringify({ transaction_reference: "TRX12345678901" })];
  const size = ["-t", "1", "-c", String(load.connections), "-d", `${load.seconds}s`, "--timeout", "10s"];
  const url = `http://127.0.0.1:${load.port}${path}`;
  const argv = ["-c", String(tools.core), tools.wrk, ...size, "-s", script, url, "--", ...call];
  const running = run(tools.taskset, argv, { timeout: (load.seconds + 30) * 1000 });
  endWithUs(running.child);
  const { stdout } = await running;
  const line = stdout.trim().split("\n").at(-1) ?? "";
  return JSON.parse(line) as LoadResult;
}
