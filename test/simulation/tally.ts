import { faultKinds } from "./fault-kinds.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { SeedResult } from "./run-seed.ts";

/** What all seeds of a run came to. */
export interface Tally {
  add(result: SeedResult): void;
  seeds(): number;
  failures(): readonly SeedResult[];
  /** One line, for a terminal that shows how far it has got. */
  progress(of: number): string;
  summary(elapsedMs: number): readonly string[];
}

const failuresKept = 20;

export function createTally(): Tally {
  const faults = new Map<FaultKind, number>();
  const kinds = new Map<string, number>();
  const failures: SeedResult[] = [];
  let seeds = 0;
  let failed = 0;
  let issueCalls = 0;
  let calls = 0;
  let failedCalls = 0;
  let steps = 0;
  let simulatedMs = 0;
  let alarms = 0;

  return {
    add(result) {
      seeds += 1;
      issueCalls += result.issueCalls;
      calls += result.calls;
      failedCalls += result.failedCalls;
      steps += result.steps;
      simulatedMs += result.simulatedMs;
      if (result.alarm) alarms += 1;
      kinds.set(result.kind, (kinds.get(result.kind) ?? 0) + 1);
      for (const [kind, count] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + count);
      if (result.failure === undefined) return;
      failed += 1;
      if (failures.length < failuresKept) failures.push(result);
    },
    seeds: () => seeds,
    failures: () => failures,
    progress: (of) => `${seeds} of ${of} seeds, ${failed} failed, ${issueCalls} issue calls, ${calls} calls`,
    summary(elapsedMs) {
      const all = [...faults.values()].reduce((sum, count) => sum + count, 0);
      return [
        `seeds         ${seeds}, ${failed} failed`,
        `worlds        ${list([...kinds])}`,
        `issue calls   ${issueCalls}`,
        `calls         ${calls}, ${failedCalls} of them without a 200`,
        `alarms        ${alarms} set at the end`,
        `faults        ${all}: ${list(faultKinds.map((kind) => [kind, faults.get(kind) ?? 0]))}`,
        `simulated     ${(simulatedMs / 86_400_000).toFixed(1)} days, ${steps} steps`,
        `time          ${(elapsedMs / 1_000).toFixed(1)} s, ${(elapsedMs / Math.max(1, seeds)).toFixed(2)} ms a seed`,
      ];
    },
  };
}

function list(counts: readonly (readonly [string, number])[]): string {
  return counts
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
