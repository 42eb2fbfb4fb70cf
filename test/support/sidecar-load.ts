import { expect } from "vitest";

import { parseExposition } from "./parse-exposition.ts";
import type { Exposition } from "./parse-exposition.ts";
import type { RunningSidecar } from "./running-sidecar.ts";

/** Calls being sent, calls waiting, bytes in memory. */
export interface Load {
  readonly inFlight: number | undefined;
  readonly queued: number | undefined;
  readonly buffered: number | undefined;
}

/** Reads the metrics of a running sidecar. */
export async function scrape(sidecar: Pick<RunningSidecar, "adminPort">): Promise<Exposition> {
  const response = await fetch(`http://127.0.0.1:${sidecar.adminPort}/metrics`);
  return parseExposition(await response.text());
}

/** What a sidecar says is under way in it. */
export async function loadOf(sidecar: Pick<RunningSidecar, "adminPort">): Promise<Load> {
  const metrics = await scrape(sidecar);
  return {
    inFlight: metrics.value("presto_sidecar_in_flight_calls"),
    queued: metrics.value("presto_sidecar_queued_calls"),
    buffered: metrics.value("presto_sidecar_buffered_bytes"),
  };
}

export const noLoad: Load = { inFlight: 0, queued: 0, buffered: 0 };

/** Waits until what is read is as expected; for things that happen soon, on a machine that may be busy. */
export function eventually<T>(read: () => T | Promise<T>) {
  return expect.poll(read, { timeout: 15_000, interval: 10 });
}

/** Resolves when the sidecar, which is in this process, has read all that was sent to it before: a whole exchange later. */
export async function caughtUp(sidecar: Pick<RunningSidecar, "adminPort">): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${sidecar.adminPort}/livez`);
  await response.text();
}

/** The log's lines of calls, in order. */
export function callLines(sidecar: Pick<RunningSidecar, "lines">): readonly Record<string, unknown>[] {
  return sidecar.lines().filter((line) => line["msg"] === "call");
}
