import type { EgressRoute } from "../connect/open.ts";
import type { ProxySource } from "../connect/proxy-url.ts";
import type { Trust } from "../connect/trust.ts";
import type { EgressCheckSettings } from "../egress-ip/open.ts";
import type { Origin } from "../lib/host.ts";
import type { ListenAddress } from "../listen/address.ts";
import type { LogLevel } from "../observe/log.ts";
import type { Operation } from "../policy/operations.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import type { Secret } from "../secret.ts";
import type { CredentialOptions, Place, StoredCredentialOptions, StoreOptions } from "../store/open.ts";
import type { SecretSource } from "../store/secret-source.ts";
import type { Limits } from "../upstream/limiter.ts";
import { required } from "./parse.ts";
import type { Values } from "./read.ts";

/** The whole configuration, checked: what the composition root builds the program from. Durations are milliseconds, sizes bytes. */
export interface Config {
  /** `proxy` serves, `rotator` issues, `all` does both. */
  readonly role: "proxy" | "rotator" | "all";
  /** What a role that issues needs; undefined for `proxy`. */
  readonly issuing: IssuingOptions | undefined;
  /** Made-up transaction reference that probes ask for. */
  readonly probeReference: string;
  readonly origin: Origin;
  readonly trust: Trust;
  readonly egress: EgressRoute;
  /** Which addresses are registered, and who is asked for ours. */
  readonly egressCheck: EgressCheckSettings;
  readonly connectTimeoutMs: number;
  /** Empty for `rotator`, which serves nothing. */
  readonly listen: readonly ListenAddress[];
  readonly hosts: readonly string[];
  readonly adminListen: ListenAddress;
  readonly controlListen: ListenAddress | undefined;
  readonly store: StoreOptions;
  /** The three wallet calls and those of PRESTO_OPERATIONS. */
  readonly operations: readonly Operation[];
  readonly maxBody: number;
  readonly admission: Limits;
  readonly timeoutMs: number;
  readonly holdMaxMs: number;
  readonly drainMinMs: number;
  readonly drainMaxMs: number;
  readonly logLevel: LogLevel;
  /** Sentences to log at start: what is allowed but odd. */
  readonly warnings: readonly string[];
}

// The options that other folders ask for. Only for values without a problem.

/** What speaking to Presto needs. */
export function upstreamOptions(
  values: Values,
): Pick<Config, "origin" | "trust" | "egress" | "connectTimeoutMs"> {
  return {
    origin: required(values.PRESTO_URL),
    trust: {
      caFile: values.PRESTO_CA_FILE,
      caOnly: required(values.PRESTO_CA_ONLY),
      pins: values.PRESTO_TLS_PINS ?? [],
    },
    egress: { localAddress: values.PRESTO_EGRESS_ADDRESS, proxy: proxySource(values) },
    connectTimeoutMs: required(values.PRESTO_CONNECT_TIMEOUT),
  };
}

function proxySource({
  PRESTO_EGRESS_PROXY: proxy,
  PRESTO_EGRESS_PROXY_FILE: path,
}: Values): ProxySource | undefined {
  if (proxy !== undefined) return { kind: "value", proxy };
  return path === undefined ? undefined : { kind: "file", path };
}

/** What knowing the address that calls leave from needs. */
export function egressCheckOptions(values: Values): EgressCheckSettings {
  return { registered: values.PRESTO_EGRESS_IPS ?? [], urls: values.PRESTO_EGRESS_CHECK_URL ?? [] };
}

/** What the chosen store needs. */
export function storeOptions(values: Values): StoreOptions {
  const place = required(values.PRESTO_STORE);
  return {
    ...place,
    token: place.takesToken ? secretSource(values.PRESTO_TOKEN, values.PRESTO_TOKEN_FILE) : undefined,
    keys: place.sealing === "never" ? undefined : keySource(values),
  };
}

/** What a role that issues needs; undefined for the one that does not. */
export function issuingOptions(values: Values): IssuingOptions | undefined {
  if (required(values.PRESTO_ROLE) === "proxy") return undefined;
  return {
    credentials: credentialOptions(values),
    tokenName: required(values.PRESTO_TOKEN_NAME),
    tokenDays: required(values.PRESTO_TOKEN_DAYS),
    automatic: required(values.PRESTO_RENEW) === "auto",
    renewAt: required(values.PRESTO_RENEW_AT),
    window: values.PRESTO_RENEW_WINDOW,
    probeEveryMs: required(values.PRESTO_PROBE_EVERY),
    settleMs: required(values.PRESTO_SETTLE),
  };
}

function credentialOptions(values: Values): CredentialOptions {
  const address = values.PRESTO_CREDENTIALS;
  if (address !== undefined) return storedCredentials(address, values);
  return {
    kind: "env",
    email: required(secretSource(values.PRESTO_EMAIL, values.PRESTO_EMAIL_FILE)),
    password: required(secretSource(values.PRESTO_PASSWORD, values.PRESTO_PASSWORD_FILE)),
  };
}

/** Credentials in a place that can be written. */
export function storedCredentials(place: Place, values: Values): StoredCredentialOptions {
  return { ...place, keys: keySource(values) };
}

function keySource(values: Values): SecretSource | undefined {
  return secretSource(values.PRESTO_STORE_KEY, values.PRESTO_STORE_KEY_FILE);
}

function secretSource(secret: Secret | undefined, path: string | undefined): SecretSource | undefined {
  if (secret !== undefined) return { kind: "value", secret };
  return path === undefined ? undefined : { kind: "file", path };
}
