import { egressVariables } from "./egress-variables.ts";
import { timeVariables } from "./time-variables.ts";
import { tokenVariables } from "./token-variables.ts";
import * as valid from "./validators.ts";
import { variable, type VariableFacts } from "./variable.ts";

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
