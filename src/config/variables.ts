import type { ExactValidator, OptionalValidatorSpec } from "envalid";

import * as valid from "./validators.ts";

/** What is known of a variable besides how it is checked. The README's table is made from it. */
export interface VariableFacts {
  /** Value used where none is given, as a user would write it. */
  readonly fallback?: string;
  /** For the table, where the fallback is not one fixed value. */
  readonly fallbackNote?: string;
  /** A value that would do, as a user would write it. */
  readonly example: string;
  /** One sentence or two in Markdown. */
  readonly meaning: string;
  /** Its value is never shown. */
  readonly secret?: true;
}

/**
 * A row of the table is an envalid spec that knows a little more. All rows are optional to
 * envalid: fallbacks are texts and go through the same check as what a user gives, and
 * what must be there depends on other variables (rules.ts).
 */
function variable<T>(
  validator: ExactValidator<T>,
  facts: VariableFacts,
): OptionalValidatorSpec<T> & VariableFacts {
  return Object.assign(validator({ default: undefined }), facts);
}

/** Every variable of this version, in the order in which they are told. */
export const variables = {
  PRESTO_URL: variable(valid.origin, {
    fallbackNote: "required",
    example: "https://institutions.example.com",
    meaning:
      "Origin of the API: `https://`, no path. Port 443 only; another port only on a loopback host (the sandbox).",
  }),
  PRESTO_LISTEN: variable(valid.listenAddresses, {
    fallback: "127.0.0.1:7380",
    example: "127.0.0.1:7380,unix:/run/presto/proxy.sock?mode=0660",
    meaning:
      "Where apps call: comma list of `host:port`, `[::1]:port`, `unix:/path`, `unix:/path?mode=0660` (0600 unless given; never for others). Loopback or Unix sockets only. `localhost` means `127.0.0.1`; port 0 is any free port.",
  }),
  PRESTO_HOSTS: variable(valid.hosts, {
    example: "presto,presto.internal",
    meaning:
      "Comma list of further names accepted in `Host`, without a port (for an app in another container that calls by a service name). `localhost`, loopback addresses and the name of `PRESTO_URL` are always accepted.",
  }),
  PRESTO_UNSAFE_LISTEN_ANYWHERE: variable(valid.yesNo, {
    fallback: "no",
    example: "no",
    meaning:
      "`yes`: `PRESTO_LISTEN` may name any address. Whoever reaches it can then spend the institution's money.",
  }),
  PRESTO_ADMIN_LISTEN: variable(valid.listenAddress, {
    fallback: "127.0.0.1:7381",
    example: "0.0.0.0:7381",
    meaning: "Health, metrics and status page. It holds no secret, so any address may be named.",
  }),
  PRESTO_CONTROL_LISTEN: variable(valid.listenAddressOrOff, {
    fallback: "127.0.0.1:7382",
    example: "unix:/run/presto/control.sock",
    meaning:
      "Verbs that act (drain, quit). Loopback or a Unix socket only, without exception; `off` turns it off. Who reaches it may stop the sidecar: where others share the loopback (a pod), use a Unix socket of the sidecar's own, or `off`.",
  }),
  PRESTO_ROLE: variable(valid.role, {
    fallback: "proxy",
    example: "proxy",
    meaning:
      "`proxy`: serves calls, cannot issue tokens, and refuses to hold the account's credentials. The only role of this version.",
  }),
  PRESTO_STORE: variable(valid.storeAddress, {
    fallback: "env:",
    example: "file:/var/lib/presto/token",
    meaning:
      "Where the token lives: `env:` (in `PRESTO_TOKEN` or `PRESTO_TOKEN_FILE`) or `file:/path` (a sealed file, filled by `presto-sidecar token import`).",
  }),
  PRESTO_TOKEN: variable(valid.token, {
    secret: true,
    example: "the-token-as-presto-gave-it",
    meaning: "The token itself, for `env:`.",
  }),
  PRESTO_TOKEN_FILE: variable(valid.path, {
    example: "/run/secrets/presto/token",
    meaning: "A file that holds the token, for `env:`; read again when it changes.",
  }),
  PRESTO_STORE_KEY: variable(valid.storeKeys, {
    secret: true,
    example: "$(presto-sidecar keygen)",
    meaning:
      "Base64 of 32 bytes (`presto-sidecar keygen`), several separated by commas: the first seals, all open. Needed by `file:`.",
  }),
  PRESTO_STORE_KEY_FILE: variable(valid.path, {
    example: "/run/secrets/presto/store-key",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_CA_FILE: variable(valid.path, {
    example: "/etc/presto/ca.pem",
    meaning:
      "CA certificates (PEM) to trust beside Node's bundled list. Nothing else in the environment adds to that list. Read again when it changes.",
  }),
  PRESTO_CA_ONLY: variable(valid.yesNo, {
    fallback: "no",
    example: "yes",
    meaning: "`yes`: trust `PRESTO_CA_FILE` alone.",
  }),
  PRESTO_TLS_PINS: variable(valid.pins, {
    example: "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    meaning:
      "Comma list of `sha256/BASE64` pins of the public key (SPKI) in the leaf certificate of `PRESTO_URL`; one must match.",
  }),
  PRESTO_OPERATIONS: variable(valid.operations, {
    example: "GET /api/institutions/v1/statements/{id}",
    meaning:
      "Comma list of operations that apps may call besides the three wallet calls: `METHOD /path/{param}`, no wildcards. `auth/*` stays closed whatever is listed. Any but a `GET` counts as one that moves money.",
  }),
  PRESTO_MAX_BODY: variable(valid.size, {
    fallback: "1MiB",
    example: "256KiB",
    meaning: "Largest request body.",
  }),
  PRESTO_MAX_IN_FLIGHT: variable(valid.count, {
    fallback: "256",
    example: "64",
    meaning: "Most calls being sent at one time.",
  }),
  PRESTO_MAX_QUEUE: variable(valid.countOrZero, {
    fallback: "1024",
    example: "256",
    meaning: "Most calls waiting at one time, held ones included.",
  }),
  PRESTO_MAX_BUFFERED: variable(valid.size, {
    fallback: "64MiB",
    example: "32MiB",
    meaning: "Most bytes of all bodies and replies in memory.",
  }),
  PRESTO_TIMEOUT: variable(valid.duration, {
    fallback: "20s",
    example: "10s",
    meaning:
      "The whole exchange as the caller sees it: from the request's head to the reply's last byte, with every wait in between.",
  }),
  PRESTO_CONNECT_TIMEOUT: variable(valid.duration, {
    fallback: "5s",
    example: "3s",
    meaning: "Connecting to Presto: TCP and TLS together.",
  }),
  PRESTO_HOLD_MAX: variable(valid.durationOrZero, {
    fallbackNote: "`5s`, or half of `PRESTO_TIMEOUT` if that is less",
    example: "5s",
    meaning:
      "Longest that a new call is held because a renewal is under way; then it is sent with the token in hand.",
  }),
  PRESTO_DRAIN_MIN: variable(valid.durationOrZero, {
    fallback: "0s",
    example: "5s",
    meaning: "After SIGTERM: keep accepting calls for so long.",
  }),
  PRESTO_DRAIN_MAX: variable(valid.durationOrZero, {
    fallback: "25s",
    example: "25s",
    meaning:
      "After SIGTERM: finish what is in flight within this, `PRESTO_DRAIN_MIN` included; then cut it off.",
  }),
  PRESTO_LOG_LEVEL: variable(valid.logLevel, {
    fallback: "info",
    example: "debug",
    meaning: "`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.",
  }),
};

export type VariableName = keyof typeof variables;

export function isVariableName(name: string): name is VariableName {
  return Object.hasOwn(variables, name);
}

export const variableNames: readonly VariableName[] = Object.keys(variables).filter(isVariableName);

/** A row as data, whatever type its value has. */
export function variableFacts(name: VariableName): VariableFacts {
  return variables[name];
}
