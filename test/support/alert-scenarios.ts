/** What one process shows from minute to minute, and which alerts fire then: these, and no others. */
export interface AlertScenario {
  readonly title: string;
  /** Series by name and labels, a value a minute, as promtool has them. */
  readonly series: Readonly<Record<string, string>>;
  readonly at: string;
  /** It is about targets that are not there, and no other may stand beside it. */
  readonly alone: boolean;
  readonly fires: readonly string[];
}

/** From minute 0 to minute 90. */
function always(value: number): string {
  return `${value}+0x90`;
}

/** Another value from that minute on. */
function from(minute: number, value: number, before = 0): string {
  return `${before}+0x${minute - 1} ${value}+0x${90 - minute}`;
}

/** Not there before that minute: the process had not been scraped yet. */
function seenFrom(minute: number, value: number): string {
  return `_x${minute} ${value}+0x${90 - minute}`;
}

const daySeconds = 86_400;
const counted = (name: string): string => `presto_sidecar_${name}_total`;
const call = (status: string, outcome: string): string =>
  `presto_sidecar_calls_total{operation="wallet.confirm", status="${status}", outcome="${outcome}"}`;

/** Alerts of counters that are to stay as they are, with such a counter. */
const counters: readonly (readonly [alert: string, series: string])[] = [
  ["PrestoRecordPutBack", counted("renewal_records_put_back")],
  ["PrestoRecordNewerSchema", `${counted("store_failures")}{code="newer-schema"}`],
  ["PrestoOutcomeUnaskable", `${counted("unaskable_money_calls")}{reason="no-ask"}`],
  ["PrestoOutcomeGivenUp", counted("given_up_outcomes")],
  ["PrestoCompletedAfterFailed", counted("completed_after_failed")],
  ["PrestoAnswerToAnother", counted("answers_to_another")],
  ["PrestoUnaskedBytes", counted("unasked_bytes")],
  ["PrestoMoneyUnguarded", `${counted("unguarded_money_calls")}{reason="format"}`],
  ["PrestoCircuitOpen", counted("circuit_openings")],
  ["PrestoAuditUnavailable", counted("audit_failures")],
  ["PrestoAuditInterfered", counted("audit_interferences")],
  ["PrestoAuditLinesLost", counted("audit_lost_lines")],
  ["PrestoLogLinesLost", counted("log_lines_lost")],
  ["PrestoConnectionsRefused", counted("refused_connections")],
];

const startedAt = "process_start_time_seconds";

/** One that has run for a day, and lacks nothing. */
const healthy: Readonly<Record<string, string>> = {
  up: always(1),
  [startedAt]: always(-daySeconds),
  'presto_sidecar_latch_closed{latch="started"}': always(0),
  'presto_sidecar_latch_closed{latch="token"}': always(0),
  presto_sidecar_token_refused: always(0),
  presto_sidecar_token_expiry_timestamp_seconds: always(80 * daySeconds),
  presto_sidecar_certificate_expiry_timestamp_seconds: always(80 * daySeconds),
  presto_sidecar_renewal_due_timestamp_seconds: always(50 * daySeconds),
  presto_sidecar_renewal_stopped: always(0),
  presto_sidecar_renewal_unexplained_deaths_last_day: always(0),
  presto_sidecar_renewal_credentials_refused: always(0),
  presto_sidecar_renewal_clock_wrong: always(0),
  presto_sidecar_renewal_record_elsewhere: always(0),
  presto_sidecar_store_watch_live: always(1),
  presto_sidecar_egress_closed: always(0),
  presto_sidecar_egress_registered: always(1),
  presto_sidecar_open_outcomes: always(0),
  presto_sidecar_last_good_addresses: always(0),
  presto_sidecar_audit_available: always(1),
  ...Object.fromEntries(counters.map(([, series]) => [series, always(0)])),
  'presto_sidecar_store_failures_total{code="unreachable"}': always(0),
  [call("200", "answered")]: "0+6x90",
  [call("502", "unknown")]: always(0),
};

/** @param changes series that are otherwise; undefined: it is not there */
function scenario(
  title: string,
  changes: Readonly<Record<string, string | undefined>>,
  fires: readonly string[],
  at = "30m",
): AlertScenario {
  const series: Record<string, string> = {};
  for (const [name, values] of Object.entries({ ...healthy, ...changes }))
    if (values !== undefined) series[name] = values;
  return { title, series, at, alone: false, fires };
}

function alone(...given: Parameters<typeof scenario>): AlertScenario {
  return { ...scenario(...given), alone: true };
}

/** A gauge that is another than it should be. */
function gauge(alert: string, name: string, values: string, at?: string): AlertScenario {
  return scenario(`${alert} fires by ${name}`, { [`presto_sidecar_${name}`]: values }, [alert], at);
}

const youngProcess = { [startedAt]: always(25 * 60) };

export const alertScenarios: readonly AlertScenario[] = [
  scenario("no alert fires while all is well", {}, []),
  scenario(
    "nor in a sidecar that knows little yet",
    Object.fromEntries(
      Object.keys(healthy)
        .filter((name) => /expiry|due|registered|watch_live|available/.test(name))
        .map((name) => [name, undefined]),
    ),
    [],
  ),

  alone(
    "PrestoSidecarAbsent and PrestoNoRotator fire where there is no target at all",
    Object.fromEntries(Object.keys(healthy).map((name) => [name, undefined])),
    ["PrestoNoRotator", "PrestoSidecarAbsent"],
  ),
  alone("PrestoSidecarAbsent waits for a rollout", { up: from(28, 0, 1) }, []),
  alone("PrestoSidecarDown fires for a target that does not answer", { up: from(20, 0, 1) }, [
    "PrestoSidecarAbsent",
    "PrestoSidecarDown",
  ]),
  alone("PrestoNoRotator fires beside a proxy that is well", { presto_sidecar_renewal_stopped: undefined }, [
    "PrestoNoRotator",
  ]),
  gauge("PrestoSidecarNotReady", 'latch_closed{latch="token"}', always(1)),
  scenario(
    "PrestoSidecarNotReady does not fire for a drain",
    {
      'presto_sidecar_latch_closed{latch="draining"}': always(1),
    },
    [],
  ),

  gauge("PrestoTokenEnds", "token_expiry_timestamp_seconds", always(6 * daySeconds)),
  scenario(
    "PrestoTokenEndsNow fires beside it",
    {
      presto_sidecar_token_expiry_timestamp_seconds: always(daySeconds),
    },
    ["PrestoTokenEnds", "PrestoTokenEndsNow"],
  ),
  gauge("PrestoTokenRefused", "token_refused", from(26, 1)),
  scenario("PrestoTokenRefused waits for the newer token", { presto_sidecar_token_refused: from(29, 1) }, []),

  gauge("PrestoRenewalFailing", "renewal_next_try_timestamp_seconds", always(5_000)),
  scenario(
    "PrestoRenewalFailing fires though a try is under way now and then",
    { presto_sidecar_renewal_next_try_timestamp_seconds: `${"5000 5000 _ ".repeat(30)}5000` },
    ["PrestoRenewalFailing"],
  ),
  scenario(
    "PrestoRenewalFailing waits for some tries",
    {
      presto_sidecar_renewal_next_try_timestamp_seconds: seenFrom(20, 5_000),
    },
    [],
  ),
  gauge("PrestoRenewalOverdue", "renewal_due_timestamp_seconds", always(-daySeconds)),
  gauge("PrestoRenewalStopped", "renewal_stopped", from(30, 1)),
  gauge("PrestoForeignIssuer", "renewal_unexplained_deaths_last_day", from(30, 1)),
  gauge("PrestoCredentialsRefused", "renewal_credentials_refused", from(30, 1)),
  gauge("PrestoClockWrong", "renewal_clock_wrong", from(30, 1)),
  gauge("PrestoRecordElsewhere", "renewal_record_elsewhere", from(30, 1)),

  gauge("PrestoStoreFailing", 'store_failures_total{code="unreachable"}', "0+12x90"),
  scenario(
    "PrestoStoreFailing fires where the store was away at the start",
    {
      ...youngProcess,
      'presto_sidecar_store_failures_total{code="unreachable"}': "_x25 4+12x65",
    },
    ["PrestoStoreFailing"],
    "31m",
  ),
  scenario(
    "PrestoStoreFailing bears one failed read",
    {
      'presto_sidecar_store_failures_total{code="unreachable"}': from(25, 1),
    },
    [],
  ),
  scenario(
    "PrestoStoreFailing knows a token that is not there yet from a store that is away",
    {
      'presto_sidecar_store_failures_total{code="not-yet"}': "0+12x90",
    },
    [],
  ),
  gauge("PrestoStoreWatchDown", "store_watch_live", from(10, 0, 1)),

  gauge("PrestoEgressAddressUnregistered", "egress_closed", from(30, 1)),
  gauge("PrestoEgressAddressUnregistered", "egress_registered", from(30, 0, 1)),
  gauge("PrestoCertificateEnds", "certificate_expiry_timestamp_seconds", always(6 * daySeconds)),
  gauge("PrestoNamesStale", "last_good_addresses", from(20, 1)),

  gauge("PrestoOutcomesOpen", "open_outcomes", from(15, 1)),
  scenario(
    "PrestoOutcomesOpen bears what is settled in minutes",
    { presto_sidecar_open_outcomes: from(25, 3) },
    [],
  ),
  scenario(
    "PrestoOutcomeOld fires for the oldest",
    {
      presto_sidecar_open_outcomes: always(2),
      presto_sidecar_oldest_open_outcome_timestamp_seconds: always(0),
    },
    ["PrestoOutcomeOld", "PrestoOutcomesOpen"],
    "65m",
  ),

  gauge("PrestoAuditUnavailable", "audit_available", from(30, 0, 1)),

  scenario(
    "PrestoErrorRatio fires on the first failed call after a start",
    {
      ...youngProcess,
      [call("200", "answered")]: seenFrom(25, 0),
      [call("502", "unknown")]: seenFrom(25, 1),
    },
    ["PrestoErrorRatio"],
  ),
  scenario(
    "PrestoErrorRatio fires on the first call that fails in a quiet process",
    {
      [call("200", "answered")]: always(7),
      [call("502", "unknown")]: from(25, 1),
    },
    ["PrestoErrorRatio"],
  ),
  scenario(
    "PrestoErrorRatio bears one failed call among many",
    { [call("502", "unknown")]: from(25, 1) },
    [],
  ),
  scenario("PrestoErrorRatio says nothing where nobody calls", { [call("200", "answered")]: always(0) }, []),

  ...counters.flatMap(([alert, series]) => [
    scenario(`${alert} fires on the first event`, { [series]: from(25, 1) }, [alert]),
    scenario(
      `${alert} fires on an event before the first scrape`,
      {
        ...youngProcess,
        [series]: seenFrom(25, 1),
      },
      [alert],
    ),
    scenario(`${alert} does not fire for what was long ago`, { [series]: always(5) }, []),
  ]),
];
