import { Counter, Gauge, Histogram, type Registry } from "prom-client";

import type { Clock } from "../clock.ts";
import { issueCallEnds, type RenewalEnd, type RenewalReport, renewalStates } from "../renewal/types.ts";
import type { Subscriber } from "./events.ts";
import { addReadGauge } from "./metrics-process.ts";

export interface RenewalMetricsOptions {
  readonly registry: Registry;
  readonly clock: Pick<Clock, "now">;
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
export function createRenewalMetrics({ registry, clock, report }: RenewalMetricsOptions): Subscriber {
  const registers = [registry];

  const transitions = counter("renewal_transitions_total", "State changes of renewals, by new state.", "to");
  const calls = counter(
    "issue_calls_total",
    "Issue calls, by how they ended; only refused and not-sent prove that the stored token was left alone.",
    "end",
  );
  const ends = counter("renewal_ends_total", "Runs of a renewal, by how they ended.", "kind");
  // A counter that begins at its first event hides that event from rate().
  for (const to of renewalStates) transitions.inc({ to }, 0);
  for (const end of issueCallEnds) calls.inc({ end }, 0);
  for (const kind of Object.keys(endKinds)) ends.inc({ kind }, 0);

  const durations = new Histogram({
    name: "presto_sidecar_issue_call_duration_seconds",
    help: "Time from an issue call's begin to its end, however it ended.",
    buckets,
    registers,
  });
  const deaths = new Counter({
    name: "presto_sidecar_renewal_unexplained_deaths_total",
    help: "Stored tokens that this process found dead although nobody of ours had begun to replace them.",
    registers,
  });
  const alarms = new Counter({
    name: "presto_sidecar_renewal_alarms_total",
    help: "How often the alarm was latched.",
    registers,
  });

  const putBack = new Counter({
    name: "presto_sidecar_renewal_records_put_back_total",
    help: "How often somebody had put an older record into the store, or taken it away, and the token that lives was written back.",
    registers,
  });

  addRenewalReadings({ registry, clock, report });

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

  function counter<L extends string>(name: string, help: string, label: L): Counter<L> {
    return new Counter({ name: `presto_sidecar_${name}`, help, labelNames: [label], registers });
  }
}

/** Shows where the renewal stands. */
function addRenewalReadings({ registry, clock, report }: RenewalMetricsOptions): void {
  gauge("due_seconds", "Seconds until the stored token is to be renewed, below zero if late.", ({ dueAt }) =>
    secondsUntil(dueAt),
  );
  gauge(
    "next_try_seconds",
    "Seconds until a renewal that did not work out is tried again; absent if none is put off.",
    ({ nextTryAt }) => secondsUntil(nextTryAt),
  );
  gauge(
    "unexplained_deaths_last_day",
    "Stored tokens found dead without a reason of our own in the last 24 h, as the record has it. Two deserve a look.",
    ({ unexplainedDeaths }) => unexplainedDeaths,
  );
  gauge(
    "credentials_refused",
    "1 while Presto refuses every password that is known; nothing is issued until they change.",
    ({ credentialsRefused }) => Number(credentialsRefused !== null),
  );
  gauge(
    "clock_wrong",
    "1 while this machine's clock makes each new token due at once; none is issued by plan until it is set right.",
    ({ clockWrong }) => Number(clockWrong !== null),
  );
  gauge(
    "record_elsewhere",
    "1 while the record in the store was written for another object: nothing is issued until a person takes it as one's own.",
    ({ elsewhere }) => Number(elsewhere !== null),
  );
  gauge(
    "stopped",
    "1 while the alarm is latched: nothing is issued until a person clears it.",
    ({ stopped }) => Number(stopped !== null),
  );
  const lock = new Gauge({
    name: "presto_sidecar_renewal_lock",
    help: "1 while this process holds the renewal lock, else 0; holder is the one that it waits for, or empty.",
    labelNames: ["lock", "holder"],
    registers: [registry],
    collect() {
      lock.reset();
      const present = report()?.lock;
      if (present !== undefined)
        lock.set({ lock: present.name, holder: present.holder ?? "" }, Number(present.ours));
    },
  });
  const state = new Gauge({
    name: "presto_sidecar_renewal_state",
    help: "1 for the state that the renewal is in, 0 for the others.",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      const present = report()?.state;
      if (present === undefined) state.reset();
      else for (const each of renewalStates) state.set({ state: each }, Number(each === present));
    },
  });

  function gauge(name: string, help: string, read: (given: RenewalReport) => number | undefined): void {
    addReadGauge(registry, `presto_sidecar_renewal_${name}`, help, () => {
      const given = report();
      return given === undefined ? undefined : read(given);
    });
  }

  function secondsUntil(time: Date | null): number | undefined {
    return time === null ? undefined : (time.getTime() - clock.now()) / 1000;
  }
}
