export interface LogField {
  /** For docs/logs.md: half a sentence, no full stop. */
  readonly meaning: string;
  /** Its name in the Elastic Common Schema; under `presto_sidecar.` where that has none. */
  readonly ecs?: string;
}

/**
 * Every field that a line may have beside its message, and what it means: docs/logs.md is made from
 * this. A name that is not here can't be written.
 */
export const logFields = {
  request_id: {
    meaning: "id of the call, as `X-Request-Id` on its reply has it",
    ecs: "http.request.id",
  },
  operation: {
    meaning:
      "name of the operation (`wallet.confirm`), or `none` where the call was refused before one was found",
    ecs: "event.action",
  },
  method: { meaning: "method of a call that was refused", ecs: "http.request.method" },
  path: {
    meaning:
      "path of a call that was refused: without its query, at most 8 segments, each that is no plain word as `*`",
    ecs: "url.path",
  },
  outcome: { meaning: "`not-sent`, `answered` or `unknown`, as `Presto-Outcome` on the reply has it" },
  status: {
    meaning: "status of the reply; 0 where the caller had gone before it",
    ecs: "http.response.status_code",
  },
  code: { meaning: "code of a reply that the sidecar made itself" },
  upstream_ms: { meaning: "milliseconds in exchanges with Presto" },
  total_ms: {
    meaning: "milliseconds from the call's head to the reply's last byte; in ECS nanoseconds",
    ecs: "event.duration",
  },
  sends: { meaning: "how many times the call was sent to Presto" },
  generation: { meaning: "generation of the token" },
  peer: { meaning: "who called: address and port, or `unix`", ecs: "client.address" },
  trace_id: { meaning: "trace that the caller says the call belongs to (`traceparent`)", ecs: "trace.id" },
  caller_gone: { meaning: "`true`: the caller closed its connection before it was answered" },
  cut_off: { meaning: "`true`: this process ended before the call could" },
  transaction: {
    meaning:
      "what the caller of a call that moves money was told of the transaction, where the reply alone does not settle it: `completed`, `failed`, `pending` or `not-known`",
  },
  reference: {
    meaning: "reference of that transaction, where the call's own end was unclear and it can be asked about",
  },
  audit: { meaning: "`true`: the line is about money, the token or the account" },
  token_id: { meaning: "fingerprint of the token, never its text" },
  expires_at: { meaning: "when the token ends; `null` while that is unknown" },
  certificate_ends_at: { meaning: "when Presto's certificate ends" },
  connections: { meaning: "how many connections were closed since the last such line" },
  most: { meaning: "how many may be open" },
  host: { meaning: "name that was looked up" },
  latch: { meaning: "condition of readiness, as `/readyz?verbose` names it" },
  ready: { meaning: "whether the sidecar is ready now" },
  reason: { meaning: "why" },
  from: { meaning: "state of the renewal before" },
  to: { meaning: "state of the renewal now" },
  intent: { meaning: "id of the intent that was written before the issue call" },
  end: { meaning: "how it ended" },
  ms: { meaning: "how long it took, milliseconds" },
  next_try_at: { meaning: "when it is tried again" },
  detail: { meaning: "what is known of it, in a sentence" },
  deaths_24h: { meaning: "tokens found dead without a reason of our own in the last 24 h" },
  stopped_at: { meaning: "when the alarm was latched" },
  last_writer: { meaning: "who wrote the record last, as far as the store knows" },
  unaskable: { meaning: "why Presto can't be asked: `no-ask`, `no-reference` or `not-plain`" },
  check_url: { meaning: "host of the check URL" },
  address: { meaning: "address that it saw" },
  addresses: { meaning: "addresses that calls leave from, as the check URLs see them" },
  registered: { meaning: "whether those are in `PRESTO_EGRESS_IPS`; `null` while that can't be said" },
  verdict: { meaning: "what the last exchanges with Presto show" },
  evidence: { meaning: "which exchanges those were" },
  head: { meaning: "head of the record of money calls (`SEQ:HASH`), for `audit verify --head`" },
  file: { meaning: "number of the record's file" },
  exit_code: { meaning: "exit code of the process", ecs: "process.exit_code" },
  what: { meaning: "what was read again" },
  folder: { meaning: "folder on the file system" },
  version: { meaning: "version of this program", ecs: "service.version" },
  role: { meaning: "`PRESTO_ROLE`" },
  upstream: { meaning: "`PRESTO_URL`" },
  store: { meaning: "kind of the token store" },
  route: { meaning: "how connections to Presto are made" },
  listen: { meaning: "where apps call" },
  admin: { meaning: "the admin listener" },
  control: { meaning: "the control listener, or `off`" },
  issuing: { meaning: "`true`: an issue call is under way" },
  lines: { meaning: "how many lines were lost" },
} as const satisfies Record<string, LogField>;

export type LogFieldName = keyof typeof logFields;

/** Flat on purpose: an object might carry anything. Undefined fields are left out. */
export type LogFields = Readonly<Partial<Record<LogFieldName, string | number | boolean | null | undefined>>>;

/** ISO 8601, or null for a date that could not be parsed (`toISOString` would throw). */
export function isoTime(date: Date): string | null {
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
