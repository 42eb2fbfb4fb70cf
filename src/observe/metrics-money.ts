import { Counter, type Registry } from "prom-client";

import { unaskableReasons } from "../money/events.ts";
import { unreadReasons } from "../upstream/references.ts";
import type { Subscriber } from "./events.ts";
import { addReadGauge } from "./metrics-process.ts";

export interface MoneyMetricsOptions {
  readonly registry: Registry;
  /** Undefined while nobody can say. */
  readonly summary: () => { readonly open: number; readonly oldestMs: number | undefined } | undefined;
}

/** Counts what is told of calls that move money, and shows how many have no known end. Never which transaction. */
export function createMoneyMetrics({ registry, summary }: MoneyMetricsOptions): Subscriber {
  const registers = [registry];
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `presto_sidecar_${name}`, help, registers });
  const unguarded = new Counter({
    name: "presto_sidecar_unguarded_money_calls_total",
    help: "Calls that move money and were sent without their transaction being known, by why it could not be read.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of unreadReasons) unguarded.inc({ reason }, 0);
  const unclear = counter(
    "unclear_money_calls_total",
    "Calls that move money and ended without a clear end.",
  );
  const unaskable = new Counter({
    name: "presto_sidecar_unaskable_money_calls_total",
    help: "Calls that move money and ended without a clear end, and can't be asked about, by why.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of unaskableReasons) unaskable.inc({ reason }, 0);
  const settled = new Counter({
    name: "presto_sidecar_settled_outcomes_total",
    help: "Calls that move money whose unclear end was found out, by what it was and who said so.",
    labelNames: ["end", "by"],
    registers,
  });
  for (const end of ["completed", "failed"])
    for (const by of ["presto", "person"]) settled.inc({ end, by }, 0);
  const givenUp = counter(
    "given_up_outcomes_total",
    "Calls that move money whose end nobody asks for any more: PRESTO_SETTLE_OUTCOMES has passed.",
  );
  const contradicted = counter(
    "completed_after_failed_total",
    "Transactions that Presto called completed after it had called them failed.",
  );
  const another = counter(
    "answers_to_another_total",
    "Answers that named another transaction than their call.",
  );
  const unasked = counter(
    "unasked_bytes_total",
    "Connections to Presto that ended because bytes came that nothing had asked for.",
  );
  const pauses = counter(
    "circuit_openings_total",
    "How often Presto has asked for a pause (429 or 503 with Retry-After).",
  );
  addReadGauge(
    registry,
    "presto_sidecar_open_outcomes",
    "Calls that move money whose end is not known.",
    () => summary()?.open,
  );
  addReadGauge(
    registry,
    "presto_sidecar_oldest_open_outcome_seconds",
    "Age of the oldest call that moves money whose end is not known; 0 without one.",
    () => {
      const now = summary();
      return now === undefined ? undefined : (now.oldestMs ?? 0) / 1000;
    },
  );

  return (event) => {
    switch (event.type) {
      case "money-unguarded":
        unguarded.inc({ reason: event.reason });
        break;
      case "outcome-open":
        unclear.inc();
        if (event.unaskable !== undefined) unaskable.inc({ reason: event.unaskable });
        break;
      case "outcome-settled":
        settled.inc({ end: event.status, by: event.by });
        break;
      case "outcome-given-up":
        givenUp.inc();
        break;
      case "completed-after-failed":
        contradicted.inc();
        break;
      case "answer-to-another":
        another.inc();
        break;
      case "unasked-bytes":
        unasked.inc();
        break;
      case "circuit-changed":
        if (event.isOpen) pauses.inc();
        break;
      default:
    }
  };
}
