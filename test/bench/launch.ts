import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { call } from "./call.ts";
import { type Child, startChild } from "./child.ts";
import type { Instance, Stage } from "./stage.ts";
import { answer, nextConfirm, queryPath } from "./upstream.ts";

/** A target that runs and can serve. */
export interface Launched {
  readonly name: string;
  readonly port: number;
  readonly child: Child;
  /** From before its process was started until it could serve. */
  readonly readyMs: number;
}

const startLimitMs = 20_000;

/**
 * Starts a target on the proxy's core. Throws with what it said where it does not come up.
 * @param cold no call may have gone through it: one that can't be asked otherwise is ready when it accepts connections
 */
export async function launch(stage: Stage, instance: Instance, cold = false): Promise<Launched> {
  const { name, port, prepared } = instance;
  const child = startChild(stage.programs.taskset, stage.cores.proxy, prepared.command);
  const url = prepared.readyUrl ?? `http://127.0.0.1:${port}${queryPath}`;
  const isReady =
    cold && prepared.readyUrl === undefined
      ? () => accepts(port)
      : async () => (await call(url)).status === 200;
  try {
    return { name, port, child, readyMs: await waitUntilReady(child, isReady) };
  } catch (error) {
    await child.stop();
    throw withWords(child, error);
  }
}

/** The error, with the last that the target said. */
export function withWords(child: Child, error: unknown): Error {
  const said = child.said();
  const message = error instanceof Error ? error.message : String(error);
  return new Error(said === "" ? message : `${message}\n  it said: ${said}`, { cause: error });
}

async function waitUntilReady(child: Child, isReady: () => Promise<boolean>): Promise<number> {
  for (;;) {
    const ready = await isReady().catch(() => false);
    const elapsed = performance.now() - child.startedAt;
    if (ready) return elapsed;
    if (child.ended()) throw new Error("it ended before it was ready");
    if (elapsed > startLimitMs) throw new Error(`it was not ready after ${startLimitMs / 1000} s`);
    await pause(2);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** A proxy that answers something else is fast for nothing. The upstream answers only to the right token. */
export async function validate(port: number): Promise<void> {
  for (const kind of ["query", "confirm"] as const) await callRight(port, kind);
}

/** One call that must be answered with 200 and the exact bytes. Resolves with its milliseconds. */
export async function callRight(port: number, kind: "query" | "confirm"): Promise<number> {
  const base = `http://127.0.0.1:${port}`;
  const confirm = nextConfirm();
  const startedAt = performance.now();
  const reply =
    kind === "query" ? await call(base + queryPath) : await call(base + confirm.path, confirm.body);
  const elapsed = performance.now() - startedAt;
  if (reply.status === 200 && reply.body === (kind === "query" ? answer : confirm.answer)) return elapsed;
  throw new Error(`it answered ${reply.status} ${JSON.stringify(reply.body.slice(0, 300))}`);
}
