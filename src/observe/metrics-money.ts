import type { Registry } from "prom-client";

import type { Clock } from "../clock.ts";
import { unaskableReasons } from "../money/events.ts";
import { unreadReasons } from "../upstream/references.ts";
import type { Subscriber } from "./events.ts";
import { createMetricMaker, type MetricRows } from "./metric-rows.ts";

export const moneyMetricRows = {
  presto_sidecar_unguarded_money_calls_total: {
    type: "counter",
    labels: ["reason"],
    help: "Calls that move money and were sent without their transaction being known, by why it could not be read.",
    watch:
      "Grows: an app sends confirms that the guard can't read, so nothing keeps a second one back. Have it send JSON or a form with the reference.",
  },
  presto_sidecar_unclear_money_calls_total: {
    type: "counter",
    help: "Calls that move money and ended without a clear end.",
    watch:
      "Grows: see `presto-sidecar outcomes`; Presto is asked until it is known. Often together with an outage of Presto.",
  },
  presto_sidecar_unaskable_money_calls_total: {
    type: "counter",
    labels: ["reason"],
    help: "Calls that move money and ended without a clear end, and can't be asked about, by why.",
    watch: "Grows: a person has to find out. `no-ask`: give the operation an `ask` in `PRESTO_OPERATIONS`.",
  },
  presto_sidecar_settled_outcomes_total: {
    type: "counter",
    labels: ["end", "by"],
    help: "Calls that move money whose unclear end was found out, by what it was and who said so.",
    watch: "`completed`: money moved though the caller was told unknown; its app must not confirm again.",
  },
  presto_sidecar_given_up_outcomes_total: {
    type: "counter",
    help: "Calls that move money whose end nobody asks for any more: PRESTO_SETTLE_OUTCOMES has passed.",
    watch: "Grows: ask Presto by another way, then `presto-sidecar outcomes resolve`.",
  },
  presto_sidecar_completed_after_failed_total: {
    type: "counter",
    help: "Transactions that Presto called completed after it had called them failed.",
    watch:
      "Not 0: see whether it was confirmed again meanwhile; its money may have moved twice. Tell Presto.",
  },
  presto_sidecar_answers_to_another_total: {
    type: "counter",
    help: "Answers that named another transaction than their call.",
    watch:
      "Not 0: something between here and Presto mixes answers up. Tell Presto, with the time and the request id.",
  },
  presto_sidecar_unasked_bytes_total: {
    type: "counter",
    help: "Connections to Presto that ended because bytes came that nothing had asked for.",
    watch: "Not 0: as for the one above; a proxy in between is the first suspect.",
  },
  presto_sidecar_circuit_openings_total: {
    type: "counter",
    help: "How often Presto has asked for a pause (429 or 503 with Retry-After).",
    watch: "Grows: too many calls for Presto. Slow the apps down, or ask for a higher limit.",
  },
  presto_sidecar_open_outcomes: {
    type: "gauge",
    help: "Calls that move money whose end is not known.",
    watch: "Does not come back to 0: `presto-sidecar outcomes` lists them, with what Presto says.",
  },
  presto_sidecar_oldest_open_outcome_timestamp_seconds: {
    type: "gauge",
    help: "When the oldest call that moves money whose end is not known ended, in seconds since 1970; absent without one.",
    watch: "More than an hour ago: a person should look, by `presto-sidecar outcomes`.",
  },
} as const satisfies MetricRows;

export interface MoneyMetricsOptions {
  readonly registry: Registry;
  readonly clock: Pick<Clock, "now">;
  /** Undefined while nobody can say. */
  readonly summary: () => { readonly open: number; readonly oldestMs: number | undefined } | undefined;
}

/** Counts what is told of calls that move money, and shows how many have no known end. Never which transaction. */
export function createMoneyMetrics({ registry, clock, summary }: MoneyMetricsOptions): Subscriber {
  const make = createMetricMaker(registry, moneyMetricRows);
  const unguarded = make.counter("presto_sidecar_unguarded_money_calls_total");
  for (const reason of unreadReasons) unguarded.inc({ reason }, 0);
  const unclear = make.counter("presto_sidecar_unclear_money_calls_total");
  const unaskable = make.counter("presto_sidecar_unaskable_money_calls_total");
  for (const reason of unaskableReasons) unaskable.inc({ reason }, 0);
  const settled = make.counter("presto_sidecar_settled_outcomes_total");
  for (const end of ["completed", "failed"])
    for (const by of ["presto", "person"]) settled.inc({ end, by }, 0);
  const givenUp = make.counter("presto_sidecar_given_up_outcomes_total");
  const contradicted = make.counter("presto_sidecar_completed_after_failed_total");
  const another = make.counter("presto_sidecar_answers_to_another_total");
  const unasked = make.counter("presto_sidecar_unasked_bytes_total");
  const pauses = make.counter("presto_sidecar_circuit_openings_total");
  make.readGauge("presto_sidecar_open_outcomes", () => summary()?.open);
  make.readGauge("presto_sidecar_oldest_open_outcome_timestamp_seconds", () => {
    const oldestMs = summary()?.oldestMs;
    return oldestMs === undefined ? undefined : (clock.now() - oldestMs) / 1000;
  });

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
