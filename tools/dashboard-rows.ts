// What the Grafana dashboard of the chart shows; tools/dashboard.ts makes its file of it.

/** What is drawn, and its legend with labels as `{{pod}}`. */
export type Query = readonly [expr: string, legend: string];

export interface Panel {
  readonly title: string;
  /** Grafana's name of the unit: `s`, `bytes`, `short`, `percentunit`, `reqps`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** One number for now, in the place of a curve; red from here on. */
  readonly redFrom?: number;
  /** The other way round: red below. */
  readonly redBelow?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Takes what the two variables at the top choose; on a host there are neither namespaces nor pods. */
const chosen = '{namespace=~"$namespace",pod=~"$pod"}';

function of(metric: string, ...matchers: readonly string[]): string {
  return [metric, chosen.replace("{", `{${matchers.map((one) => `${one},`).join("")}`)].join("");
}

function rate(metric: string, ...matchers: readonly string[]): string {
  return `rate(${of(metric, ...matchers)}[$__rate_interval])`;
}

function grows(metric: string, ...matchers: readonly string[]): string {
  return `increase(${of(metric, ...matchers)}[$__rate_interval])`;
}

function quantile(q: number, metric: string, by: string): string {
  return `histogram_quantile(${q}, sum by (le, ${by}) (${rate(`${metric}_bucket`)}))`;
}

const name = "{{pod}}{{instance}}";

export const dashboardRows: readonly Row[] = [
  {
    title: "At a glance",
    panels: [
      {
        title: "Sidecars scraped",
        unit: "short",
        redBelow: 1,
        queries: [[`count(${of("presto_sidecar_build_info")})`, ""]],
      },
      {
        title: "Not ready",
        unit: "short",
        redFrom: 1,
        queries: [
          [`count(max without (latch) (${of("presto_sidecar_latch_closed")}) == 1) or vector(0)`, ""],
        ],
      },
      {
        title: "Token ends in",
        unit: "s",
        redBelow: 7 * 86_400,
        queries: [[`min(${of("presto_sidecar_token_expiry_timestamp_seconds")}) - time()`, ""]],
      },
      {
        title: "Money calls without a known end",
        unit: "short",
        redFrom: 1,
        queries: [[`sum(${of("presto_sidecar_open_outcomes")})`, ""]],
      },
      {
        title: "The oldest of them",
        unit: "s",
        redFrom: 3_600,
        queries: [[`time() - min(${of("presto_sidecar_oldest_open_outcome_timestamp_seconds")})`, ""]],
      },
      {
        title: "Calls that fail",
        unit: "percentunit",
        redFrom: 0.05,
        queries: [
          [
            `sum(${rate("presto_sidecar_calls_total", 'status=~"5..|other"')}) / sum(${rate("presto_sidecar_calls_total")})`,
            "",
          ],
        ],
      },
    ],
  },
  {
    title: "Calls",
    panels: [
      {
        title: "Calls by outcome and status",
        unit: "reqps",
        queries: [
          [`sum by (outcome, status) (${rate("presto_sidecar_calls_total")}) > 0`, "{{outcome}} {{status}}"],
        ],
      },
      {
        title: "Replies that the sidecar made itself",
        unit: "reqps",
        queries: [[`sum by (code) (${rate("presto_sidecar_problems_total")}) > 0`, "{{code}}"]],
      },
      {
        title: "Calls under way",
        unit: "short",
        queries: [
          [`sum(${of("presto_sidecar_in_flight_calls")})`, "being sent"],
          [`sum(${of("presto_sidecar_queued_calls")})`, "waiting"],
        ],
      },
      {
        title: "Callers that went away, and were turned away",
        unit: "short",
        queries: [
          [`sum(${grows("presto_sidecar_callers_gone_total")})`, "gone before the answer"],
          [`sum(${grows("presto_sidecar_refused_connections_total")})`, "too many connections"],
        ],
      },
    ],
  },
  {
    title: "How long they take",
    panels: [
      {
        title: "Whole call, by operation",
        unit: "s",
        queries: [
          [quantile(0.5, "presto_sidecar_call_duration_seconds", "operation"), "{{operation}} p50"],
          [quantile(0.99, "presto_sidecar_call_duration_seconds", "operation"), "{{operation}} p99"],
        ],
      },
      {
        title: "Time with Presto, by operation",
        unit: "s",
        queries: [
          [quantile(0.5, "presto_sidecar_upstream_duration_seconds", "operation"), "{{operation}} p50"],
          [quantile(0.99, "presto_sidecar_upstream_duration_seconds", "operation"), "{{operation}} p99"],
        ],
      },
      {
        title: "Sent, and not connected",
        unit: "reqps",
        queries: [
          [`sum(${rate("presto_sidecar_sends_total")})`, "sends"],
          [`sum(${rate("presto_sidecar_connect_failures_total")})`, "no connection"],
        ],
      },
      {
        title: "Presto asked for a pause; names from memory",
        unit: "short",
        queries: [
          [`sum(${grows("presto_sidecar_circuit_openings_total")})`, "pauses"],
          [`sum(${of("presto_sidecar_last_good_addresses")})`, "names without a resolver"],
        ],
      },
    ],
  },
  {
    title: "Token and renewals",
    panels: [
      {
        title: "Token ends in, and the certificate",
        unit: "s",
        queries: [
          [`min(${of("presto_sidecar_token_expiry_timestamp_seconds")}) - time()`, "token"],
          [`min(${of("presto_sidecar_renewal_due_timestamp_seconds")}) - time()`, "renewal due"],
          [
            `min(${of("presto_sidecar_certificate_expiry_timestamp_seconds")}) - time()`,
            "Presto's certificate",
          ],
        ],
      },
      {
        title: "Generation in hand (one line: all pods follow)",
        unit: "short",
        queries: [[of("presto_sidecar_token_generation"), name]],
      },
      {
        title: "Renewals and issue calls by their ends",
        unit: "short",
        queries: [
          [`sum by (kind) (${grows("presto_sidecar_renewal_ends_total")}) > 0`, "renewal {{kind}}"],
          [`sum by (end) (${grows("presto_sidecar_issue_calls_total")}) > 0`, "issue call {{end}}"],
        ],
      },
      {
        title: "What stops renewals",
        unit: "short",
        queries: [
          [`max(${of("presto_sidecar_renewal_stopped")})`, "alarm latched"],
          [`max(${of("presto_sidecar_renewal_unexplained_deaths_last_day")})`, "deaths in 24 h"],
          [`max(${of("presto_sidecar_renewal_credentials_refused")})`, "credentials refused"],
          [`max(${of("presto_sidecar_renewal_clock_wrong")})`, "clock wrong"],
          [`max(${of("presto_sidecar_renewal_record_elsewhere")})`, "record elsewhere"],
        ],
      },
      {
        title: "Token refused; store can't be read; watch is down",
        unit: "short",
        queries: [
          [`sum(${of("presto_sidecar_token_refused")})`, "refused"],
          [`sum by (code) (${grows("presto_sidecar_store_failures_total")}) > 0`, "store {{code}}"],
          [`count(${of("presto_sidecar_store_watch_live")} == 0) or vector(0)`, "only polled"],
        ],
      },
      {
        title: "Way out",
        unit: "short",
        queries: [
          [`sum(${of("presto_sidecar_egress_closed")})`, "calls kept back"],
          [`count(${of("presto_sidecar_egress_registered")} == 0) or vector(0)`, "address not registered"],
        ],
      },
    ],
  },
  {
    title: "Money",
    panels: [
      {
        title: "Open ends",
        unit: "short",
        queries: [[`${of("presto_sidecar_open_outcomes")} > 0`, name]],
      },
      {
        title: "How unclear ends were found out",
        unit: "short",
        queries: [
          [`sum(${grows("presto_sidecar_unclear_money_calls_total")})`, "unclear"],
          [
            `sum by (end, by) (${grows("presto_sidecar_settled_outcomes_total")}) > 0`,
            "{{end}}, said by {{by}}",
          ],
          [`sum(${grows("presto_sidecar_given_up_outcomes_total")})`, "given up"],
          [`sum(${grows("presto_sidecar_unaskable_money_calls_total")})`, "can't be asked about"],
        ],
      },
      {
        title: "Never to be seen",
        unit: "short",
        queries: [
          [`sum(${grows("presto_sidecar_completed_after_failed_total")})`, "completed after failed"],
          [`sum(${grows("presto_sidecar_answers_to_another_total")})`, "answer to another"],
          [`sum(${grows("presto_sidecar_unasked_bytes_total")})`, "bytes unasked for"],
          [`sum(${grows("presto_sidecar_unguarded_money_calls_total")})`, "unguarded"],
        ],
      },
      {
        title: "The record",
        unit: "short",
        queries: [
          [`count(${of("presto_sidecar_audit_available")} == 0) or vector(0)`, "can't be written"],
          [`sum(${of("presto_sidecar_audit_open_calls")})`, "calls without an end in it"],
          [`sum(${grows("presto_sidecar_audit_lost_lines_total")})`, "lines lost"],
        ],
      },
    ],
  },
  {
    title: "Process",
    panels: [
      {
        title: "Connections: open descriptors",
        unit: "short",
        queries: [
          [of("process_open_fds", 'job="presto-sidecar"'), name],
          [`min(${of("process_max_fds", 'job="presto-sidecar"')})`, "may be open"],
        ],
      },
      {
        title: "Memory in RAM",
        unit: "bytes",
        queries: [
          [of("process_resident_memory_bytes", 'job="presto-sidecar"'), name],
          [`sum(${of("presto_sidecar_buffered_bytes")})`, "bodies and replies, all together"],
        ],
      },
      {
        title: "CPU",
        unit: "percentunit",
        queries: [[rate("process_cpu_seconds_total", 'job="presto-sidecar"'), name]],
      },
      {
        title: "How late the event loop comes (p99)",
        unit: "s",
        queries: [[of("presto_sidecar_event_loop_delay_p99_seconds"), name]],
      },
    ],
  },
];
