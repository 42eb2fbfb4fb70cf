import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { endWithUs } from "./child.ts";
import type { Cores, Programs } from "./programs.ts";
import { confirmPath, queryPath } from "./upstream.ts";

/** What one load showed. Times in microseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly microseconds: number;
  /** Calls without an answer, or with one of 400 and more. Any makes the figures worthless. */
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** What is called, and how. */
export interface Load {
  readonly name: string;
  readonly kind: "query" | "confirm";
  readonly connections: number;
  /** False: each call on a connection of its own, as of a caller that says `Connection: close`. */
  readonly keepAlive: boolean;
}

/** A name is what the figures of a load are kept under. */
export const loads = {
  alone: { name: "get-1", kind: "query", connections: 1, keepAlive: true },
  usual: { name: "get-32", kind: "query", connections: 32, keepAlive: true },
  crowd: { name: "get-128", kind: "query", connections: 128, keepAlive: true },
  money: { name: "post-32", kind: "confirm", connections: 32, keepAlive: true },
  closing: { name: "close-32", kind: "query", connections: 32, keepAlive: false },
} as const satisfies Record<string, Load>;

const script = fileURLToPath(new URL("load.lua", import.meta.url));
const run = promisify(execFile);

export interface LoadTools {
  readonly programs: Pick<Programs, "taskset" | "wrk">;
  readonly cores: Cores;
}

/** Calls as fast as the answers come, on so many connections, for so many seconds. */
export async function makeLoad(
  { programs, cores }: LoadTools,
  port: number,
  { kind, connections, keepAlive }: Load,
  seconds: number,
): Promise<LoadResult> {
  const path = kind === "query" ? queryPath : confirmPath;
  const call = [kind === "query" ? "GET" : "POST", keepAlive ? "keep" : "close"];
  // No transaction twice, in whatever order loads follow each other.
  if (kind === "confirm") call.push(String((Date.now() % 10_000_000) * 10_000));
  const size = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--timeout", "10s"];
  const url = `http://127.0.0.1:${port}${path}`;
  const argv = ["-c", String(cores.load), programs.wrk, ...size, "-s", script, url, "--", ...call];
  const running = run(programs.taskset, argv, { timeout: (seconds + 30) * 1000 });
  endWithUs(running.child);
  const { stdout } = await running;
  const line = stdout.trim().split("\n").at(-1) ?? "";
  return JSON.parse(line) as LoadResult;
}
