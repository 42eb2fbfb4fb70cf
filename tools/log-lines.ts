import { ConnectError } from "../src/connect/errors.ts";
import type { Event } from "../src/observe/events.ts";
import { logEvents } from "../src/observe/log-events.ts";
import { logFields, type LogFields } from "../src/observe/log-fields.ts";
import { ecsNameOf } from "../src/observe/log-format.ts";
import type { Log } from "../src/observe/log.ts";
import { StoreError } from "../src/store/contract.ts";

// What docs/logs.md says of the lines: one or more of each event is told to the log as the program has
// it, and what it writes is the table. An event that has no sample here does not compile.

type Samples = { readonly [T in Event["type"]]: readonly Extract<Event, { readonly type: T }>[] };

const at = new Date(0);
const call: Extract<Event, { readonly type: "call-finished" }> = {
  type: "call-finished",
  requestId: "",
  operation: "wallet.confirm",
  movesMoney: true,
  outcome: "answered",
  status: 200,
  code: undefined,
  cause: undefined,
  upstreamMs: 0,
  totalMs: 0,
  sends: 1,
  generation: 1,
  peer: "",
  traceId: "",
  callerGone: true,
  cutOff: false,
};
const token = { generation: 1, id: "" };
const money = { operation: "wallet.confirm", requestId: "" };
const ended = { type: "renewal-ended", nextTryAt: at } as const;
const detail = "";

const samples: Samples = {
  "call-finished": [
    call,
    { ...call, code: "no-token", status: 503, outcome: "not-sent", movesMoney: false },
    { ...call, outcome: "unknown", cutOff: true, status: 504, code: "upstream-timeout" },
    { ...call, code: "bad-target", status: 400, movesMoney: false, method: "GET", path: "/" },
  ],
  "token-changed": [{ type: "token-changed", ...token, expiresAt: at }],
  "token-rejected": [{ type: "token-rejected", ...token }],
  "token-accepted": [{ type: "token-accepted", ...token }],
  "store-failed": [{ type: "store-failed", error: new StoreError("unreachable", "") }],
  "peer-certificate": [{ type: "peer-certificate", validTo: at }],
  "connect-failed": [
    { type: "connect-failed", error: new ConnectError("unreachable", "", "connection_refused") },
  ],
  "last-good-addresses": [
    { type: "last-good-addresses", host: "", serving: true },
    { type: "last-good-addresses", host: "", serving: false },
  ],
  "renewal-moved": [{ type: "renewal-moved", from: "idle", to: "reading", reason: "scheduled", intent: "" }],
  "issue-begun": [{ type: "issue-begun", intent: "", reason: "scheduled" }],
  "issue-ended": (["issued", "refused", "not-sent", "unclear"] as const).map((end) => ({
    type: "issue-ended",
    intent: "",
    end,
    cause: undefined,
    ms: 0,
  })),
  "renewal-ended": [
    { ...ended, end: { kind: "renewed", tokenId: "", generation: 1, expiresAt: at }, nextTryAt: undefined },
    { ...ended, end: { kind: "nothing-to-do", detail } },
    { ...ended, end: { kind: "young-token", detail, nextLookMs: 1 } },
    { ...ended, end: { kind: "stopped", detail } },
    { ...ended, end: { kind: "elsewhere", detail } },
    { ...ended, end: { kind: "refused", credentials: true, detail } },
    { ...ended, end: { kind: "refused", credentials: false, detail } },
    { ...ended, end: { kind: "unreachable", detail } },
    { ...ended, end: { kind: "lost", detail } },
    { ...ended, end: { kind: "shut-down" } },
  ],
  "unexplained-death": [{ type: "unexplained-death", ...token, count: 1 }],
  "clock-alarm-changed": [
    { type: "clock-alarm-changed", reason: "" },
    { type: "clock-alarm-changed", reason: undefined },
  ],
  "record-put-back": [
    { type: "record-put-back", ...token, lastWriter: "", wasGone: true },
    { type: "record-put-back", ...token, lastWriter: "", wasGone: false },
  ],
  "elsewhere-changed": [
    { type: "elsewhere-changed", reason: "" },
    { type: "elsewhere-changed", reason: undefined },
  ],
  "alarm-changed": [
    { type: "alarm-changed", alarm: { reason: "", at } },
    { type: "alarm-changed", alarm: undefined },
  ],
  "egress-checked": [
    { type: "egress-checked", name: "", address: "", error: undefined, changed: true },
    { type: "egress-checked", name: "", address: undefined, error: new Error(""), changed: true },
  ],
  "egress-address-seen": [
    { type: "egress-address-seen", addresses: [""], registered: true },
    { type: "egress-address-seen", addresses: [""], registered: false },
  ],
  "egress-verdict-changed": [
    { type: "egress-verdict-changed", verdict: "registered", evidence: [""] },
    { type: "egress-verdict-changed", verdict: "not-registered", evidence: [""] },
  ],
  "egress-latch-changed": [
    { type: "egress-latch-changed", reason: "" },
    { type: "egress-latch-changed", reason: undefined },
  ],
  "money-unguarded": [{ type: "money-unguarded", ...money, reason: "format" }],
  "outcome-open": [{ type: "outcome-open", ...money, unaskable: "no-ask" }],
  "outcomes-changed": [],
  "outcome-settled": (["presto", "person"] as const).map((by) => ({
    type: "outcome-settled",
    ...money,
    reference: "",
    status: "completed",
    by,
    contradicts: false,
    at: 0,
    ms: 0,
  })),
  "outcome-given-up": [{ type: "outcome-given-up", ...money }],
  "completed-after-failed": [{ type: "completed-after-failed", ...money }],
  "answer-to-another": [{ type: "answer-to-another", ...money }],
  "circuit-changed": [
    { type: "circuit-changed", isOpen: true },
    { type: "circuit-changed", isOpen: false },
  ],
  "unasked-bytes": [{ type: "unasked-bytes" }],
  "audit-availability": [
    { type: "audit-availability", unavailable: { reason: "", cause: undefined } },
    { type: "audit-availability", unavailable: undefined },
  ],
  "audit-interfered": [{ type: "audit-interfered", what: "" }],
  "audit-head": [{ type: "audit-head", head: { seq: 1, hash: "" }, file: 1 }],
  "latch-changed": [
    { type: "latch-changed", name: "", reason: "", ready: false },
    { type: "latch-changed", name: "", reason: undefined, ready: false },
    { type: "latch-changed", name: "", reason: undefined, ready: true },
  ],
  "connection-refused": [{ type: "connection-refused", most: 1 }],
  warning: [{ type: "warning", message: "(a sentence that says what is odd)" }],
};

/** A line of the log, as the table has it. */
interface Line {
  readonly levels: Set<string>;
  readonly fields: Set<string>;
}

/** What the log writes of all samples, by message. */
function allLines(): ReadonlyMap<string, Line> {
  const lines = new Map<string, Line>();
  function add(level: string, message: string, fields: LogFields = {}, error?: unknown): void {
    const line = lines.get(message) ?? { levels: new Set(), fields: new Set() };
    lines.set(message, line);
    line.levels.add(level);
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) line.fields.add(name);
    if (error !== undefined) line.fields.add("err");
  }
  const log: Log = {
    enabled: () => true,
    write: add,
    call: (level, fields, error) => add(level, "call", fields, error),
    lost: () => 0,
    flush: () => Promise.resolve(),
  };
  for (const events of Object.values(samples)) {
    // Anew for each kind: floods of the same line are thinned out.
    const tell = logEvents(log, { monotonic: () => 0 });
    for (const event of events) tell(event);
  }
  return lines;
}

/** What a table is made of. */
type Rows = readonly [head: readonly string[], rows: readonly (readonly string[])[]];

export function logLineRows(): Rows {
  return [
    ["message", "level", "fields"],
    [...allLines()].map(([message, { levels, fields }]) => [
      message,
      [...levels].join(", "),
      [...fields].map((name) => `\`${name}\``).join(" "),
    ]),
  ];
}

export function logFieldRows(): Rows {
  return [
    ["field", "in `ecs`", "is"],
    Object.entries(logFields).map(([name, field]) => [
      `\`${name}\``,
      `\`${ecsNameOf(name, field)}\``,
      field.meaning,
    ]),
  ];
}
