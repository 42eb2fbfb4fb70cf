import { Counter, Histogram, type Registry } from "prom-client";

import { type Outcome, problems } from "../errors.ts";
import { STATUS_CODES } from "../lib/node-http.ts";
import type { CallFinished } from "../upstream/call.ts";

/** Seconds: from a loopback answer to the longest time-out that anybody sets. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];

/** What one kind of call adds to. */
interface Series {
  readonly calls: Counter.Internal;
  readonly duration: Histogram.Internal<string>;
  readonly upstream: Histogram.Internal<string>;
}

/**
 * Counts finished calls. Labels are bounded: operations to those given here (others count as
 * `none`), statuses to the registered ones (others count as `other`: an answer of Presto's can
 * have any three digits). The objects that prom-client makes for a set of labels are kept, so a
 * call costs about 1 µs.
 * @param operations names of the operations in the table
 */
export function createCallMetrics(
  registry: Registry,
  operations: readonly string[],
): (call: CallFinished) => void {
  const registers = [registry];
  const labelNames = ["operation", "status", "outcome"];
  const calls = new Counter({
    name: "presto_sidecar_calls_total",
    help: "Finished calls. Status 0: the caller had gone before it was answered.",
    labelNames,
    registers,
  });
  const durations = new Histogram({
    name: "presto_sidecar_call_duration_seconds",
    help: "Time from a call's head to its reply's last byte.",
    labelNames,
    buckets,
    registers,
  });
  const upstream = new Histogram({
    name: "presto_sidecar_upstream_duration_seconds",
    help: "Time that a call spent in exchanges with Presto. Calls that were not sent are not in it.",
    labelNames: ["operation"],
    buckets,
    registers,
  });
  const sends = new Counter({
    name: "presto_sidecar_sends_total",
    help: "Requests sent to Presto; more than the calls where some were sent again after a 401.",
    registers,
  });
  const gone = new Counter({
    name: "presto_sidecar_callers_gone_total",
    help: "Calls whose caller closed its connection before it was answered.",
    registers,
  });
  const ownReplies = new Counter({
    name: "presto_sidecar_problems_total",
    help: "Replies that the sidecar made itself, by code.",
    labelNames: ["code"],
    registers,
  });
  // A counter that begins at its first event hides that event from rate().
  for (const code of Object.keys(problems)) ownReplies.inc({ code }, 0);

  const known = new Set(operations);
  const kept = new Map<string, Map<Outcome, Map<number, Series>>>();

  function series(operation: string, outcome: Outcome, status: number): Series {
    const byOutcome = entry(kept, operation, () => new Map<Outcome, Map<number, Series>>());
    const byStatus = entry(byOutcome, outcome, () => new Map<number, Series>());
    return entry(byStatus, status, () => {
      const label = status === otherStatus ? "other" : String(status);
      return {
        calls: calls.labels(operation, label, outcome),
        duration: durations.labels(operation, label, outcome),
        upstream: upstream.labels(operation),
      };
    });
  }

  return (call) => {
    const operation = known.has(call.operation) ? call.operation : "none";
    const of = series(operation, call.outcome, bounded(call.status));
    of.calls.inc();
    of.duration.observe(call.totalMs / 1000);
    if (call.sends > 0) {
      of.upstream.observe(call.upstreamMs / 1000);
      sends.inc(call.sends);
    }
    if (call.callerGone) gone.inc();
    if (call.code !== undefined) ownReplies.inc({ code: call.code in problems ? call.code : "other" });
  };
}

const otherStatus = -1;
const registered = new Set([0, ...Object.keys(STATUS_CODES).map(Number)]);

function bounded(status: number): number {
  return registered.has(status) ? status : otherStatus;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
