import type { Registry } from "prom-client";

import { issueCallEnds, type RenewalEnd, type RenewalReport, renewalStates } from "../renewal/types.ts";
import type { Subscriber } from "./events.ts";
import { createMetricMaker, type MetricMaker, type MetricRows, readingOf, timestamp } from "./metric-rows.ts";

export const renewalMetricRows = {
  presto_sidecar_renewal_transitions_total: {
    type: "counter",
    labels: ["to"],
    help: "State changes of renewals, by new state.",
    watch: "Many a minute: a renewal goes round in circles. The log at `debug` has each step.",
  },
  presto_sidecar_issue_calls_total: {
    type: "counter",
    labels: ["end"],
    help: "Issue calls, by how they ended; only refused and not-sent prove that the stored token was left alone.",
    watch: "`unclear` grows: Presto's issue endpoint is slow or cut off. `refused`: see the account.",
  },
  presto_sidecar_renewal_ends_total: {
    type: "counter",
    labels: ["kind"],
    help: "Runs of a renewal, by how they ended.",
    watch: "Anything but `renewed` and `nothing-to-do` grows: `/status` has the last one, in a sentence.",
  },
  presto_sidecar_issue_call_duration_seconds: {
    type: "histogram",
    help: "Time from an issue call's begin to its end, however it ended.",
    watch: "Nears 15 s, at which a call is given up: tell Presto.",
  },
  presto_sidecar_renewal_unexplained_deaths_total: {
    type: "counter",
    help: "Stored tokens that this process found dead although nobody of ours had begun to replace them.",
    watch:
      "Grows: somebody else issues tokens on this account, or revokes them. Find out who, before the alarm latches.",
  },
  presto_sidecar_renewal_alarms_total: {
    type: "counter",
    help: "How often the alarm was latched.",
    watch: "Grows: see `presto_sidecar_renewal_stopped`.",
  },
  presto_sidecar_renewal_records_put_back_total: {
    type: "counter",
    help: "How often somebody had put an older record into the store, or taken it away, and the token that lives was written back.",
    watch: "Grows: GitOps, a backup or an operator writes over the record. Have it leave that object alone.",
  },
  presto_sidecar_renewal_due_timestamp_seconds: {
    type: "gauge",
    help: "When the stored token is to be renewed, in seconds since 1970; absent while unknown.",
    watch: "More than a day ago: renewals do not work out. `/status` says why, in the last end.",
  },
  presto_sidecar_renewal_next_try_timestamp_seconds: {
    type: "gauge",
    help: "When a renewal that did not work out is tried again, in seconds since 1970; absent if none is put off.",
    watch: "Present for an hour: as above.",
  },
  presto_sidecar_renewal_unexplained_deaths_last_day: {
    type: "gauge",
    help: "Stored tokens found dead without a reason of our own in the last 24 h, as the record has it.",
    watch: "2 or more: as for `presto_sidecar_renewal_unexplained_deaths_total`.",
  },
  presto_sidecar_renewal_credentials_refused: {
    type: "gauge",
    help: "1 while Presto refuses every password that is known; nothing is issued until they change.",
    watch:
      "1: give the account's right password (`presto-sidecar credentials import`), long before the token ends.",
  },
  presto_sidecar_renewal_clock_wrong: {
    type: "gauge",
    help: "1 while this machine's clock makes each new token due at once; none is issued by plan until it is set right.",
    watch: "1: set the clock (NTP). `/status` says how far it is off.",
  },
  presto_sidecar_renewal_record_elsewhere: {
    type: "gauge",
    help: "1 while the record in the store was written for another object: nothing is issued until a person takes it as one's own.",
    watch: "1: see that the other side has ended, then `presto-sidecar token renew --force`.",
  },
  presto_sidecar_renewal_stopped: {
    type: "gauge",
    help: "1 while the alarm is latched: nothing is issued until a person clears it.",
    watch: "1: stop whoever else issues on this account, then `presto-sidecar token renew --force`.",
  },
  presto_sidecar_renewal_lock: {
    type: "gauge",
    labels: ["lock", "holder"],
    help: "1 while this process holds the renewal lock, else 0; holder is the one that it waits for, or empty.",
    watch: "0 with the same holder for minutes: that process hangs in a renewal. See its log.",
  },
  presto_sidecar_renewal_state: {
    type: "gauge",
    labels: ["state"],
    help: "1 for the state that the renewal is in, 0 for the others.",
    watch: "`settling` or `storing` for minutes: Presto, or the store, does not answer.",
  },
} as const satisfies MetricRows;

export interface RenewalMetricsOptions {
  readonly registry: Registry;
  /** Undefined while nobody can say. */
  readonly report: () => RenewalReport | undefined;
}

/** Seconds: from a loopback answer to one that comes long after the call was given up. */
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120];

/** An object, so that the compiler misses a kind which is new. */
const endKinds: Readonly<Record<RenewalEnd["kind"], true>> = {
  renewed: true,
  "nothing-to-do": true,
  "young-token": true,
  stopped: true,
  elsewhere: true,
  refused: true,
  unreachable: true,
  lost: true,
  "shut-down": true,
};

/**
 * Counts renewals and shows where the present one stands. To be made only in a role that
 * issues: where nothing is ever issued, a zero would look like a renewal that is overdue.
 */
export function createRenewalMetrics({ registry, report }: RenewalMetricsOptions): Subscriber {
  const make = createMetricMaker(registry, renewalMetricRows);
  const transitions = make.counter("presto_sidecar_renewal_transitions_total");
  const calls = make.counter("presto_sidecar_issue_calls_total");
  const ends = make.counter("presto_sidecar_renewal_ends_total");
  // A counter that begins at its first event hides that event from rate().
  for (const to of renewalStates) transitions.inc({ to }, 0);
  for (const end of issueCallEnds) calls.inc({ end }, 0);
  for (const kind of Object.keys(endKinds)) ends.inc({ kind }, 0);

  const durations = make.histogram("presto_sidecar_issue_call_duration_seconds", buckets);
  const deaths = make.counter("presto_sidecar_renewal_unexplained_deaths_total");
  const alarms = make.counter("presto_sidecar_renewal_alarms_total");
  const putBack = make.counter("presto_sidecar_renewal_records_put_back_total");

  addRenewalReadings(make, report);

  return (event) => {
    switch (event.type) {
      case "renewal-moved":
        transitions.inc({ to: event.to });
        break;
      case "issue-ended":
        calls.inc({ end: event.end });
        durations.observe(event.ms / 1000);
        break;
      case "renewal-ended":
        ends.inc({ kind: event.end.kind });
        break;
      case "unexplained-death":
        deaths.inc();
        break;
      case "record-put-back":
        putBack.inc();
        break;
      case "alarm-changed":
        if (event.alarm !== undefined) alarms.inc();
        break;
      default:
    }
  };
}

/** Shows where the renewal stands. */
function addRenewalReadings(
  make: MetricMaker<keyof typeof renewalMetricRows>,
  report: () => RenewalReport | undefined,
): void {
  const of = readingOf(report);
  const gauge = (
    name: keyof typeof renewalMetricRows,
    read: (given: RenewalReport) => number | undefined,
  ): void => make.readGauge(name, of(read));

  gauge("presto_sidecar_renewal_due_timestamp_seconds", ({ dueAt }) => timestamp(dueAt));
  gauge("presto_sidecar_renewal_next_try_timestamp_seconds", ({ nextTryAt }) => timestamp(nextTryAt));
  gauge("presto_sidecar_renewal_unexplained_deaths_last_day", ({ unexplainedDeaths }) => unexplainedDeaths);
  gauge("presto_sidecar_renewal_credentials_refused", ({ credentialsRefused }) =>
    Number(credentialsRefused !== null),
  );
  gauge("presto_sidecar_renewal_clock_wrong", ({ clockWrong }) => Number(clockWrong !== null));
  gauge("presto_sidecar_renewal_record_elsewhere", ({ elsewhere }) => Number(elsewhere !== null));
  gauge("presto_sidecar_renewal_stopped", ({ stopped }) => Number(stopped !== null));
  make.gauge("presto_sidecar_renewal_lock", (lock) => {
    lock.reset();
    const present = report()?.lock;
    if (present !== undefined)
      lock.set({ lock: present.name, holder: present.holder ?? "" }, Number(present.ours));
  });
  make.gauge("presto_sidecar_renewal_state", (state) => {
    const present = report()?.state;
    if (present === undefined) state.reset();
    else for (const each of renewalStates) state.set({ state: each }, Number(each === present));
  });
}
