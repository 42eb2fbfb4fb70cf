import { listenerVariables } from "./load-listeners.ts";
import {
  parseCheckUrls,
  parseEgressAddress,
  parseEgressIps,
  parseEgressProxy,
  parseHosts,
  parseOrigin,
} from "./parse-addresses.ts";
import { parseAudit, parseAuditFull } from "./parse-audit.ts";
import { parseListenAddresses } from "./parse-listen.ts";
import { parseOperations } from "./parse-operations.ts";
import { parsePath, parsePins } from "./parse-secrets.ts";
import {
  formatDuration,
  InvalidValue,
  parseCount,
  parseCountOrZero,
  parseDuration,
  parseDurationOrZero,
  parseLogFormat,
  parseLogLevel,
  parseReference,
  parseSize,
  parseYesNo,
} from "./parse.ts";
import { variable } from "./row-spec.ts";
import { tokenVariables, vaultVariables } from "./token-variables.ts";
import { tracingVariables } from "./tracing-variables.ts";
import type { VariableRow } from "./variable.ts";

/** How calls leave this machine. */
const egressVariables = {
  PRESTO_EGRESS_ADDRESS: variable({
    parse: parseEgressAddress,
    example: "203.0.113.7",
    meaning:
      "Address of this machine to leave from, IPv4 or IPv6 (a link-local one with its interface: `fe80::1%eth0`). One that the machine does not have stops the start.",
    chart: "env",
  }),
  PRESTO_EGRESS_PROXY: variable({
    parse: parseEgressProxy,
    secret: true,
    example: "http://user:password@gateway.example:3128",
    meaning:
      "Egress proxy: `http://[user:password@]host:port` (CONNECT), the same with `https://` (CONNECT, over TLS to the proxy), or with `socks5://` (names are resolved by the proxy). The port must be written; user and password are percent-encoded. TLS to Presto goes end to end through it.",
    chart: "env",
    chartLimit: {
      pattern: "^(https?|socks5)://[^@/?#]+:[0-9]+$",
      reason: "In the chart without user and password: a secret is never a plain value.",
    },
  }),
  PRESTO_EGRESS_PROXY_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/presto/egress-proxy",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EGRESS_IPS: variable({
    parse: parseEgressIps,
    example: "203.0.113.7,2001:db8:7::/64",
    meaning:
      "Comma list of the addresses or CIDRs that are registered with Presto. What `PRESTO_EGRESS_CHECK_URL` answers is compared with them; calls that would leave from another address are kept back.",
    chart: "env",
  }),
  PRESTO_EGRESS_CHECK_URL: variable({
    parse: parseCheckUrls,
    example: "https://ip.example.com/,https://address.example.org/json",
    meaning:
      "Comma list of `https` URLs that answer with the caller's address, as plain text or as JSON with `ip`. They are asked over the same way out as Presto, without a token; redirects are not followed. Calls are kept back when two of them see an address that is not in `PRESTO_EGRESS_IPS`, or when one does and Presto turns calls away; give two of different owners. Without it nothing is ever kept back.",
    chart: "env",
  }),
};

/** Longer than a renewal takes, and short enough that a caller still gets its answer. */
const holdMaxMs = 5000;

/** How long things may take. */
const timeVariables = {
  PRESTO_TIMEOUT: variable({
    parse: parseDuration,
    fallback: "20s",
    example: "10s",
    meaning:
      "The whole exchange as the caller sees it: from the request's head to the reply's last byte, with every wait in between.",
    chart: "env",
  }),
  PRESTO_CONNECT_TIMEOUT: variable({
    parse: parseDuration,
    fallback: "5s",
    example: "3s",
    meaning: "Connecting to Presto: TCP and TLS together.",
    chart: "env",
  }),
  PRESTO_HOLD_MAX: variable({
    parse: parseDurationOrZero,
    derived: {
      from: "PRESTO_TIMEOUT",
      derive: (timeout) => formatDuration(Math.min(holdMaxMs, Math.floor(parseDuration(timeout) / 2))),
      note: "`5s`, or half of `PRESTO_TIMEOUT` if that is less",
    },
    example: "5s",
    meaning:
      "Longest that a new call is held because a renewal is under way; then it is sent with the token in hand.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_PROBE_EVERY: variable({
    parse: parseDuration,
    derived: {
      from: "PRESTO_ROLE",
      // A rotator has no calls of apps that would tell it of a dead token.
      derive: (role) => (role === "rotator" ? "10s" : "60s"),
      note: "`60s`; `10s` in role `rotator`",
    },
    example: "30s",
    meaning: "How often a role that issues makes sure that the stored token lives.",
    onlyFor: "issuing",
    chart: "rotator",
  }),
  PRESTO_PROBE_REFERENCE: variable({
    parse: parseReference,
    fallback: "TRX000000000",
    example: "TRX000000000",
    meaning:
      "Made-up transaction reference that is asked for to see whether a token lives: 1 to 128 of `A-Za-z0-9-._~`. No transaction of yours may have it.",
    chart: "env",
  }),
  PRESTO_SETTLE: variable({
    parse: parseDurationOrZero,
    fallback: "90s",
    example: "2m",
    meaning:
      "Longest time that Presto, or a gateway before it, may still execute a call whose client is gone: so long nothing is issued after a call whose end is not known, and so long `failed` is not believed of a call that moves money.",
    chart: "env",
  }),
  PRESTO_SETTLE_OUTCOMES: variable({
    parse: parseDuration,
    fallback: "24h",
    example: "24h",
    meaning:
      "How long Presto is asked what became of a call that moves money and whose end is unclear, counted from that end. After that it stays listed, and its transaction stays closed, until a person resolves it (`presto-sidecar outcomes`).",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_DRAIN_MIN: variable({
    parse: parseDurationOrZero,
    fallback: "0s",
    example: "5s",
    meaning: "After SIGTERM: keep accepting calls for so long.",
    chart: "env",
  }),
  PRESTO_DRAIN_MAX: variable({
    parse: parseDurationOrZero,
    fallback: "25s",
    example: "25s",
    meaning:
      "After SIGTERM: finish what is in flight, a renewal too, within this, `PRESTO_DRAIN_MIN` included; then cut it off.",
    chart: "env",
  }),
};

/** Every variable of this version, in the order in which they are listed. */
export const variables = {
  PRESTO_URL: variable({
    parse: parseOrigin,
    fallbackNote: "required",
    example: "https://institutions.example.com",
    meaning:
      "Origin of the API: `https://`, no path. Port 443 only; another port only on a loopback host (the sandbox).",
    chart: "url",
  }),
  PRESTO_LISTEN: variable({
    parse: parseListenAddresses,
    fallback: "127.0.0.1:7380",
    example: "127.0.0.1:7380,unix:/run/presto/proxy.sock?mode=0660",
    meaning:
      "Where apps call: comma list of `host:port`, `[::1]:port`, `unix:/path`, `unix:/path?mode=0660` (0600 unless given; never for others). Loopback or Unix sockets only. `localhost` means `127.0.0.1`; an IPv6 address may stand without brackets, the last `:port` is the port; port 0 is any free port. An address of a family that this machine lacks is passed over with a warning, if another of the list is bound.",
    onlyFor: "serving",
  }),
  PRESTO_HOSTS: variable({
    parse: parseHosts,
    example: "presto,presto.internal",
    meaning:
      "Comma list of further names accepted in `Host`, without a port (for an app in another container that calls by a service name). `localhost`, loopback addresses and the name of `PRESTO_URL` are always accepted.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_UNSAFE_LISTEN_ANYWHERE: variable({
    parse: parseYesNo,
    fallback: "no",
    example: "no",
    meaning:
      "`yes`: `PRESTO_LISTEN` may name any address. Whoever reaches it can then spend the institution's money.",
    onlyFor: "serving",
  }),
  PRESTO_ADMIN_LISTEN: variable(listenerVariables.PRESTO_ADMIN_LISTEN),
  PRESTO_CONTROL_LISTEN: variable(listenerVariables.PRESTO_CONTROL_LISTEN),
  ...tokenVariables,
  ...vaultVariables,
  PRESTO_CA_FILE: variable({
    parse: parsePath,
    example: "/etc/presto/ca.pem",
    meaning:
      "CA certificates (PEM) to trust beside Node's bundled list. Nothing else in the environment adds to that list. Read again when it changes.",
  }),
  PRESTO_CA_ONLY: variable({
    parse: parseYesNo,
    fallback: "no",
    example: "yes",
    meaning: "`yes`: trust `PRESTO_CA_FILE` alone.",
    chart: "env",
  }),
  PRESTO_TLS_PINS: variable({
    parse: parsePins,
    example: "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    meaning:
      "Comma list of `sha256/BASE64` pins of the public key (SPKI) in the leaf certificate of `PRESTO_URL`; one must match.",
    chart: "env",
  }),
  ...egressVariables,
  PRESTO_OPERATIONS: variable({
    parse: parseOperations,
    example: "GET /api/institutions/v1/statements/{id}",
    meaning:
      "Comma list of operations that apps may call besides the three wallet calls: `METHOD /path/{param}[;reads|;prepares|;moves[;reference=MEMBER;ask=/path/{reference}]]`, no wildcards. `auth/*` stays closed whatever is listed. Without a word behind the path a `GET` reads, and any other moves money; a `GET` never may. What became of one whose end is unknown is asked at the path of `ask`, with what stands in `MEMBER` of its JSON body.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_MAX_BODY: variable({
    parse: parseSize,
    fallback: "1MiB",
    example: "256KiB",
    meaning: "Largest request body.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_MAX_IN_FLIGHT: variable({
    parse: parseCount,
    fallback: "256",
    example: "64",
    meaning: "Most calls being sent at one time.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_MAX_QUEUE: variable({
    parse: parseCountOrZero,
    fallback: "1024",
    example: "256",
    meaning: "Most calls waiting at one time, held ones included.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_MAX_BUFFERED: variable({
    parse: parseSize,
    fallback: "64MiB",
    example: "32MiB",
    meaning: "Most bytes of all bodies and replies in memory.",
    onlyFor: "serving",
    chart: "env",
  }),
  ...timeVariables,
  PRESTO_AUDIT: variable({
    parse: parseAudit,
    fallback: "off",
    example: "file:/var/log/presto/audit.jsonl",
    meaning:
      "The record of money and credentials, in hash-chained JSON lines: `off`, `file:/path[?mode=0640]` (0600 unless given; never for others) or `stdout`. The line of a call that moves money is on the disk before its first byte goes out. Commands write beside it, in `PATH.commands`.",
    chart: "env",
    chartLimit: {
      pattern: "^(off|stdout)$",
      reason: "Here `off` or `stdout`; a record in files needs a volume: see `audit`.",
    },
  }),
  PRESTO_AUDIT_FULL: variable({
    parse: parseAuditFull,
    fallback: "refuse",
    example: "continue",
    meaning:
      "What a record that can't be written does to calls that move money: `refuse` (503 `audit-unavailable`; they were not sent) or `continue` (they are sent, with an alarm in log and metrics).",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_TRACE_UPSTREAM: variable({
    parse: parseYesNo,
    fallback: "no",
    example: "yes",
    meaning:
      "`yes`: the `traceparent` of a caller goes on to Presto. Its trace id stands in the log and in problem documents in any case.",
    onlyFor: "serving",
    chart: "env",
  }),
  PRESTO_LOG_LEVEL: variable({
    parse: parseLogLevel,
    fallback: "info",
    example: "debug",
    meaning: "`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.",
    chart: "env",
  }),
  PRESTO_LOG_FORMAT: variable({
    parse: parseLogFormat,
    fallbackNote: "`json`; `text` on a terminal",
    example: "ecs",
    meaning:
      "Lines of the log on standard output: `json`, `ecs` (JSON with the names of the Elastic Common Schema), or `text`, for people. With `NO_COLOR` text has no colours on a terminal either.",
    chart: "env",
  }),
  ...tracingVariables,
};

export type VariableName = keyof typeof variables;

export function isVariableName(name: string): name is VariableName {
  return Object.hasOwn(variables, name);
}

export const variableNames: readonly VariableName[] = Object.keys(variables).filter(isVariableName);

/** A row as data, whatever type its value has. */
export function rowOf(name: VariableName): VariableRow<unknown> {
  return variables[name];
}

/**
 * What a variable says, as a user would write it: its text in the environment, or its default.
 * An empty one counts as not given: manifests write `NAME=` for "none".
 * @returns undefined where it has neither, or a default that comes from a refused text
 */
export function textOf(name: VariableName, env: NodeJS.ProcessEnv): string | undefined {
  const text = env[name];
  if (text !== undefined && text !== "") return text;
  const { fallback, derived } = rowOf(name);
  if (derived === undefined) return fallback;
  if (!isVariableName(derived.from))
    throw new TypeError(`${name} has its default from ${derived.from}, which is no variable`);
  const from = textOf(derived.from, env);
  try {
    return from === undefined ? undefined : derived.derive(from);
  } catch (error) {
    if (error instanceof InvalidValue) return undefined;
    throw error;
  }
}

/** The two forms of each secret: by value, and by the path of a file. */
export const secretForms: readonly (readonly [byValue: VariableName, byFile: VariableName])[] =
  variableNames.flatMap((name) => {
    const byFile = `${name}_FILE`;
    return isVariableName(byFile) ? [[name, byFile] as const] : [];
  });
