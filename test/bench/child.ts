import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** A program that runs on one core until it is stopped. */
export interface Child {
  readonly pid: number;
  /** When it was started: milliseconds of performance.now(). */
  readonly startedAt: number;
  /** The last that it said on standard error. */
  said(): string;
  ended(): boolean;
  /** Resolves when it has ended, with null where a signal ended it. */
  exitCode(): Promise<number | null>;
  stop(): Promise<void>;
}

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
// However the benchmark ends, nothing that it started outlives it.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
// Not once: a second signal (timeout(1) sends two) would end this process before it has cleaned up.
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

/** From now on this child is ended when the benchmark ends. */
export function endWithUs(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

/** Clock ticks of /proc/PID/stat; 100 a second on every Linux that Node runs on, but asked for all the same. */
const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Starts a program on one core. Its environment is PATH, HOME and what is given: nothing of ours leaks in. */
export function startChild(taskset: string, core: number, command: Command): Child {
  const startedAt = performance.now();
  const child = spawn(taskset, ["-c", String(core), ...command.argv], {
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", ...command.env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exit = once(child, "exit");
  endWithUs(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command.argv[0]} could not be started.`);
  return {
    pid,
    startedAt,
    said: () => said.trim(),
    ended: () => !running.has(child),
    async exitCode() {
      await exit;
      return child.exitCode;
    },
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await exit;
      clearTimeout(timer);
    },
  };
}

/** Microseconds of processor time, user and system, of all threads. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in brackets, and may hold spaces: count from behind it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
}

/** MiB that are in memory now. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

/** The cores that this process may use. */
export function allowedCores(): readonly number[] {
  const list = /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Which part of all cores is busy now, 0 to 1, seen over half a second. */
export async function busyPart(): Promise<number> {
  const read = (): readonly [busy: number, all: number] => {
    const ticks = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "")
      .split(/\s+/)
      .slice(1, 9)
      .map(Number);
    const all = ticks.reduce((sum, value) => sum + value, 0);
    // Fields four and five are idle and waiting for the disk (proc(5)).
    return [all - (ticks[3] ?? 0) - (ticks[4] ?? 0), all];
  };
  const [busyBefore, allBefore] = read();
  await pause(500);
  const [busy, all] = read();
  return (busy - busyBefore) / (all - allBefore);
}

/** Moves this process (all its threads) to a core, away from the proxy's. */
export function pinSelf(taskset: string, core: number): void {
  execFileSync(taskset, ["-a", "-c", "-p", String(core), String(process.pid)], { stdio: "ignore" });
}
