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
export function variable<T>(
  validator: ExactValidator<T>,
  facts: VariableFacts,
): OptionalValidatorSpec<T> & VariableFacts {
  return Object.assign(validator({ default: undefined }), facts);
}

/** Whether this process issues, where the token and the account's credentials live, and when a token is renewed. */
export const tokenVariables = {
  PRESTO_ROLE: variable(valid.role, {
    fallback: "proxy",
    example: "all",
    meaning:
      "`proxy`: serves calls, cannot issue tokens, and refuses to hold the account's credentials. `rotator`: issues and renews the token, serves no calls. `all`: does both.",
  }),
  PRESTO_STORE: variable(valid.storeAddress, {
    fallback: "env:",
    example: "file:/var/lib/presto/token",
    meaning:
      "Where the token lives: `env:` (in `PRESTO_TOKEN` or `PRESTO_TOKEN_FILE`) or `file:/path` (a sealed file: needed by the roles that issue, which fill it; for `proxy` it is filled by another process on this host, or by `presto-sidecar token import`).",
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
      "Base64 of 32 bytes (`presto-sidecar keygen`), several separated by commas: the first seals, all open. Needed by `file:`, of `PRESTO_STORE` and of `PRESTO_CREDENTIALS`.",
  }),
  PRESTO_STORE_KEY_FILE: variable(valid.path, {
    example: "/run/secrets/presto/store-key",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EMAIL: variable(valid.email, {
    secret: true,
    example: "sidecar@institution.example",
    meaning: "E-mail address of the account, for roles that issue.",
  }),
  PRESTO_EMAIL_FILE: variable(valid.path, {
    example: "/run/secrets/presto/email",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_PASSWORD: variable(valid.password, {
    secret: true,
    example: "the-password-of-the-account",
    meaning: "Password of the account, for roles that issue.",
  }),
  PRESTO_PASSWORD_FILE: variable(valid.path, {
    example: "/run/secrets/presto/password",
    meaning: "A file that holds the same (UTF-8); read again when it changes.",
  }),
  PRESTO_CREDENTIALS: variable(valid.credentialAddress, {
    example: "file:/var/lib/presto/credentials",
    meaning:
      "`file:/path`: a sealed file that holds e-mail and password, instead of the four above; filled by `presto-sidecar credentials import`, and the only form that `presto-sidecar password reset` can write to.",
  }),
  PRESTO_TOKEN_NAME: variable(valid.tokenName, {
    fallback: "presto-sidecar",
    example: "presto-sidecar",
    meaning: "Name that a token is asked for with: 1 to 255 characters of visible ASCII.",
  }),
  PRESTO_TOKEN_DAYS: variable(valid.days, {
    fallback: "90",
    example: "30",
    meaning: "Days of life that a token is asked for with, 1 to 3650; rounded up to the next 00:00 UTC.",
  }),
  PRESTO_RENEW: variable(valid.renew, {
    fallback: "auto",
    example: "manual",
    meaning:
      "`manual`: never issues by itself, only when a person asks for it (a change freeze, a stand-by site).",
  }),
  PRESTO_RENEW_AT: variable(valid.fraction, {
    fallback: "0.67",
    example: "0.5",
    meaning: "Fraction of a token's life after which it is renewed, with jitter; above 0, at most 1.",
  }),
  PRESTO_RENEW_WINDOW: variable(valid.dayWindow, {
    fallbackNote: "any time",
    example: "01:00-04:00",
    meaning:
      "Hours of the day (UTC) in which a token is renewed by plan, unless it would die before they come; `22:00-02:00` goes over midnight.",
  }),
};

/** How calls leave this machine. */
export const egressVariables = {
  PRESTO_EGRESS_ADDRESS: variable(valid.egressAddress, {
    example: "203.0.113.7",
    meaning:
      "Address of this machine to leave from, IPv4 or IPv6 (a link-local one with its interface: `fe80::1%eth0`). One that the machine does not have stops the start.",
  }),
  PRESTO_EGRESS_PROXY: variable(valid.egressProxy, {
    secret: true,
    example: "http://user:password@gateway.example:3128",
    meaning:
      "Egress proxy: `http://[user:password@]host:port` (CONNECT), the same with `https://` (CONNECT, over TLS to the proxy), or with `socks5://` (names are resolved by the proxy). The port must be written; user and password are percent-encoded. TLS to Presto goes end to end through it.",
  }),
  PRESTO_EGRESS_PROXY_FILE: variable(valid.path, {
    example: "/run/secrets/presto/egress-proxy",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EGRESS_IPS: variable(valid.egressIps, {
    example: "203.0.113.7,2001:db8:7::/64",
    meaning:
      "Comma list of the addresses or CIDRs that are registered with Presto. What `PRESTO_EGRESS_CHECK_URL` answers is compared with them; calls that would leave from another address are kept back.",
  }),
  PRESTO_EGRESS_CHECK_URL: variable(valid.checkUrls, {
    example: "https://ip.example.com/,https://address.example.org/json",
    meaning:
      "Comma list of `https` URLs that answer with the caller's address, as plain text or as JSON with `ip`. They are asked over the same way out as Presto, without a token; redirects are not followed. Calls are kept back when two of them see an address that is not in `PRESTO_EGRESS_IPS`, or when one does and Presto turns calls away; give two of different owners. Without it nothing is ever kept back.",
  }),
};

/** How long things may take. */
export const timeVariables = {
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
  PRESTO_PROBE_EVERY: variable(valid.duration, {
    fallback: "60s",
    example: "30s",
    meaning: "How often a role that issues makes sure that the stored token lives.",
  }),
  PRESTO_PROBE_REFERENCE: variable(valid.reference, {
    fallback: "TRX000000000",
    example: "TRX000000000",
    meaning:
      "Made-up transaction reference that is asked for to see whether a token lives: 1 to 128 of `A-Za-z0-9-._~`. No transaction of yours may have it.",
  }),
  PRESTO_SETTLE: variable(valid.durationOrZero, {
    fallback: "90s",
    example: "2m",
    meaning:
      "Longest time that Presto, or a gateway before it, may still execute a call whose client is gone: so long nothing is issued after a call whose end is not known.",
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
      "After SIGTERM: finish what is in flight, a renewal too, within this, `PRESTO_DRAIN_MIN` included; then cut it off.",
  }),
};

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
      "Verbs that act (renew, reload, drain, quit). Loopback or a Unix socket only, without exception; `off` turns it off. Who reaches it may renew the token and stop the sidecar: where others share the loopback (a pod), use a Unix socket of the sidecar's own, or `off`.",
  }),
  ...tokenVariables,
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
  ...egressVariables,
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
  ...timeVariables,
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
