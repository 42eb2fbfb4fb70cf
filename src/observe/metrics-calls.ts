import { Counter, type Registry } from "prom-client";

import { type Outcome, problems } from "../errors.ts";
import { STATUS_CODES } from "../lib/node-http.ts";
import type { CallFinished } from "../upstream/call.ts";
import { Durations, DurationsMetric } from "./durations.ts";

/** Seconds: from a loopback answer to the longest time-out that anybody sets. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];

/** What one kind of call adds to. */
interface Series {
  readonly labels: { readonly operation: string; readonly status: string; readonly outcome: Outcome };
  readonly durations: Durations;
  /** Shared by all kinds of one operation. */
  readonly upstream: Durations;
}

/**
 * Counts finished calls. Labels are bounded: operations to those given here (others count as
 * `none`), statuses to the registered ones (others count as `other`: an answer of Presto's can
 * have any three digits). What is counted for each call are numbers of our own, of which
 * prom-client's are made when somebody asks.
 * @param operations names of the operations in the table
 */
export function createCallMetrics(
  registry: Registry,
  operations: readonly string[],
): (call: CallFinished) => void {
  const registers = [registry];
  const labelNames = ["operation", "status", "outcome"];
  const all: Series[] = [];
  const upstream = new Map<string, Durations>();
  let sendCount = 0;
  const calls: Counter = new Counter({
    name: "presto_sidecar_calls_total",
    help: "Finished calls. Status 0: the caller had gone before it was answered.",
    labelNames,
    registers,
    collect() {
      calls.reset();
      for (const { labels, durations } of all) calls.inc(labels, durations.count);
    },
  });
  void new DurationsMetric({
    name: "presto_sidecar_call_duration_seconds",
    help: "Time from a call's head to its reply's last byte.",
    labelNames,
    registry,
    read: () => all.map(({ labels, durations }) => [labels, durations]),
  });
  void new DurationsMetric({
    name: "presto_sidecar_upstream_duration_seconds",
    help: "Time that a call spent in exchanges with Presto. Calls that were not sent are not in it.",
    labelNames: ["operation"],
    registry,
    read: () =>
      [...upstream].filter(([, { count }]) => count > 0).map(([operation, of]) => [{ operation }, of]),
  });
  const sends: Counter = new Counter({
    name: "presto_sidecar_sends_total",
    help: "Requests sent to Presto; more than the calls where some were sent again after a 401, or a query over a fresh connection.",
    registers,
    collect() {
      sends.reset();
      sends.inc(sendCount);
    },
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
      const made: Series = {
        labels: { operation, status: label, outcome },
        durations: new Durations(buckets),
        upstream: entry(upstream, operation, () => new Durations(buckets)),
      };
      all.push(made);
      return made;
    });
  }

  return (call) => {
    const operation = known.has(call.operation) ? call.operation : "none";
    const of = series(operation, call.outcome, bounded(call.status));
    of.durations.add(call.totalMs / 1000);
    if (call.sends > 0) {
      of.upstream.add(call.upstreamMs / 1000);
      sendCount += call.sends;
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
