import type { Kind } from "./load.ts";
import type { LoadFigures, RunFigures } from "./measure.ts";

/** Runs of one target, in the order of the rounds. */
export type Runs = readonly RunFigures[];

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function loadOf(run: RunFigures, kind: Kind, connections: number): LoadFigures {
  const found = run.loads.find((load) => load.kind === kind && load.connections === connections);
  if (found === undefined) throw new Error(`No ${kind} load at ${connections} connections was made.`);
  return found;
}

/** The middle of all runs, figure by figure. */
export function medianRun(runs: Runs): RunFigures {
  const of = (pick: (run: RunFigures) => number): number => median(runs.map(pick));
  const [first] = runs;
  if (first === undefined) throw new Error("There is no run to take the median of.");
  return {
    readyMs: of((run) => run.readyMs),
    restMiB: of((run) => run.restMiB),
    loadMiB: of((run) => run.loadMiB),
    healthcheckMs:
      first.healthcheckMs === undefined ? undefined : of((run) => run.healthcheckMs ?? Number.NaN),
    loads: first.loads.map(({ kind, connections }) => {
      const pick = (figure: (load: LoadFigures) => number): number =>
        of((run) => figure(loadOf(run, kind, connections)));
      return {
        kind,
        connections,
        cpuMicroseconds: pick((load) => load.cpuMicroseconds),
        requestsPerSecond: pick((load) => load.requestsPerSecond),
        p50Microseconds: pick((load) => load.p50Microseconds),
        p99Microseconds: pick((load) => load.p99Microseconds),
      };
    }),
  };
}

/** A goal, and what was reached. */
export interface Reached {
  readonly goal: string;
  /** For people: `≤ 1.25`. */
  readonly limit: string;
  readonly value: number;
  readonly met: boolean;
}

/** The machine's speed changes from minute to minute: figures are compared within a round, then the median is taken. */
function compared(one: Runs, other: Runs, compare: (one: RunFigures, other: RunFigures) => number): number {
  return median(
    one.flatMap((run, round) => (other[round] === undefined ? [] : [compare(run, other[round])])),
  );
}

const cpu = (run: RunFigures, connections = 32): number => loadOf(run, "query", connections).cpuMicroseconds;

/** Which goals the sidecar reaches, as far as the peers that they speak of were run. */
export function judge(runs: ReadonlyMap<string, Runs>): readonly Reached[] {
  const { sidecar, "sidecar-bound": bound, envoy, stock, floor } = Object.fromEntries(runs);
  if (sidecar === undefined) return [];
  const reached: Reached[] = [];
  const atMost = (goal: string, limit: number, value: number | undefined): void => {
    if (value !== undefined) reached.push({ goal, limit: `≤ ${limit}`, value, met: value <= limit });
  };
  if (envoy !== undefined) {
    const ratio = (connections: number): number =>
      compared(sidecar, envoy, (one, other) => cpu(one, connections) / cpu(other, connections));
    atMost("CPU at 32 connections: Envoy's, times", 1, ratio(32));
    // Where even the bare floor is above 1: told, because it is near, not because it is promised.
    atMost("CPU at 128 connections: Envoy's, times", 1.1, ratio(128));
  }
  if (stock !== undefined) {
    const value = compared(stock, sidecar, (one, other) => cpu(one) / cpu(other));
    reached.push({
      goal: "CPU at 32: the stock plugin's is more, times",
      limit: "≥ 1.6",
      value,
      met: value >= 1.6,
    });
  }
  if (floor !== undefined) {
    atMost(
      "CPU at 32: the floor's, times",
      1.25,
      compared(sidecar, floor, (one, other) => cpu(one) / cpu(other)),
    );
    const p50 = (run: RunFigures): number => loadOf(run, "query", 1).p50Microseconds;
    atMost(
      "p50 alone: above the floor's, µs",
      50,
      compared(sidecar, floor, (one, other) => p50(one) - p50(other)),
    );
  }
  if (bound !== undefined) {
    const value = compared(bound, sidecar, (one, other) => cpu(one) / cpu(other));
    // As near to 1 as a shared machine can tell: the address is bound once a connection, not once a call.
    atMost("CPU at 32, bound to an address: unbound, times", 1.05, value);
  }
  const middle = medianRun(sidecar);
  atMost("resident at rest, MiB", 85, middle.restMiB);
  atMost("resident under load, MiB", 130, middle.loadMiB);
  atMost("from exec to ready, ms", 400, middle.readyMs);
  atMost("a healthcheck, ms", 100, middle.healthcheckMs);
  return reached;
}

/** What the line per call costs: microseconds of CPU a request, or undefined where it was not measured. */
export function priceOfLog(runs: ReadonlyMap<string, Runs>): number | undefined {
  const { sidecar, "sidecar-info": logged } = Object.fromEntries(runs);
  if (sidecar === undefined || logged === undefined) return undefined;
  return compared(logged, sidecar, (one, other) => cpu(one) - cpu(other));
}
