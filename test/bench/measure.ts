import { setTimeout as pause } from "node:timers/promises";

import { call } from "./call.ts";
import { type Child, cpuMicroseconds, residentMiB, startChild } from "./child.ts";
import { type Kind, type Load, makeLoad } from "./load.ts";
import type { Prepared } from "./target.ts";
import { answer, confirmPath, queryPath } from "./upstream.ts";

/** Figures of one load. */
export interface LoadFigures {
  readonly kind: Kind;
  readonly connections: number;
  /** User and system time of the proxy's process for one request. */
  readonly cpuMicroseconds: number;
  readonly requestsPerSecond: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
}

/** Figures of one run of one target. */
export interface RunFigures {
  readonly readyMs: number;
  readonly restMiB: number;
  /** The most that was seen during any load. */
  readonly loadMiB: number;
  readonly healthcheckMs: number | undefined;
  readonly loads: readonly LoadFigures[];
}

export interface Bench {
  readonly taskset: string;
  readonly wrk: string;
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly seconds: number;
  readonly connections: readonly number[];
}

const startLimitMs = 20_000;

/** Starts a target, makes sure that it does the job, loads it, and stops it. Throws with what the target said. */
export async function measureOnce(bench: Bench, prepared: Prepared, port: number): Promise<RunFigures> {
  const child = startChild(bench.taskset, bench.proxyCore, prepared.command);
  try {
    const readyMs = await waitUntilReady(child, prepared.readyUrl ?? `http://127.0.0.1:${port}${queryPath}`);
    await validate(port);
    // Garbage of the start is gone a moment later, or stays.
    await pause(500);
    const restMiB = residentMiB(child.pid);
    const healthcheckMs = prepared.healthcheck && (await timeHealthcheck(bench, prepared.healthcheck));
    let loadMiB = restMiB;
    const sampler = setInterval(() => {
      loadMiB = Math.max(loadMiB, residentMiB(child.pid));
    }, 200);
    const loads: LoadFigures[] = [];
    try {
      const { seconds } = bench;
      await load(bench, child, { port, kind: "query", connections: 32, seconds: Math.min(2, seconds) });
      for (const connections of bench.connections) {
        loads.push(await load(bench, child, { port, kind: "query", connections, seconds }));
      }
      loads.push(await load(bench, child, { port, kind: "confirm", connections: 32, seconds }));
    } finally {
      clearInterval(sampler);
    }
    return { readyMs, restMiB, loadMiB, healthcheckMs, loads };
  } catch (error) {
    const said = child.said();
    throw new Error(`${String(error)}${said === "" ? "" : `\n  it said: ${said}`}`, { cause: error });
  } finally {
    await child.stop();
  }
}

/** Loads a target for minutes and tells its resident memory as it goes. */
export async function soak(
  bench: Bench,
  prepared: Prepared,
  port: number,
  minutes: number,
): Promise<readonly number[]> {
  const child = startChild(bench.taskset, bench.proxyCore, prepared.command);
  const samples: number[] = [];
  try {
    await waitUntilReady(child, prepared.readyUrl ?? `http://127.0.0.1:${port}${queryPath}`);
    for (let passed = 0; passed < minutes * 2; passed += 1) {
      await load(bench, child, { port, kind: "query", connections: 32, seconds: 30 });
      samples.push(residentMiB(child.pid));
    }
    return samples;
  } finally {
    await child.stop();
  }
}

async function waitUntilReady(child: Child, url: string): Promise<number> {
  for (;;) {
    const reply = await call(url).catch(() => undefined);
    const elapsed = performance.now() - child.startedAt;
    if (reply?.status === 200) return elapsed;
    if (child.ended()) throw new Error("it ended before it was ready");
    if (elapsed > startLimitMs)
      throw new Error(`it was not ready after ${startLimitMs / 1000} s (${reply?.status})`);
    await pause(2);
  }
}

/** A proxy that answers something else is fast for nothing. The upstream answers only to the right token. */
async function validate(port: number): Promise<void> {
  const base = `http://127.0.0.1:${port}`;
  const replies = [
    await call(base + queryPath),
    await call(base + confirmPath, JSON.stringify({ transaction_reference: "TRX12345678901" })),
  ];
  for (const reply of replies) {
    if (reply.status === 200 && reply.body === answer) continue;
    throw new Error(`it answered ${reply.status} ${JSON.stringify(reply.body.slice(0, 300))}`);
  }
}

async function load(bench: Bench, child: Child, how: Load): Promise<LoadFigures> {
  const before = cpuMicroseconds(child.pid);
  const result = await makeLoad({ ...bench, core: bench.loadCore }, how);
  const spent = cpuMicroseconds(child.pid) - before;
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} calls failed`);
  return {
    kind: how.kind,
    connections: how.connections,
    cpuMicroseconds: spent / result.requests,
    requestsPerSecond: (result.requests * 1e6) / result.microseconds,
    p50Microseconds: result.p50,
    p99Microseconds: result.p99,
  };
}

async function timeHealthcheck(bench: Bench, command: Prepared["command"]): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = startChild(bench.taskset, bench.proxyCore, command);
    const code = await child.exitCode();
    times.push(performance.now() - child.startedAt);
    if (code !== 0) throw new Error(`healthcheck ended with ${code}: ${child.said()}`);
  }
  return times.toSorted((one, other) => one - other)[1] ?? 0;
}
