import type { WayOut } from "../connect/open.ts";
import type { GatewaySource } from "../connect/proxy-url.ts";
import type { Trust } from "../connect/tls.ts";
import type { EgressCheckSettings } from "../egress-ip/open.ts";
import type { Origin } from "../lib/host.ts";
import type { ListenAddress } from "../listen/address.ts";
import type { LogLevel } from "../observe/log.ts";
import type { Operation } from "../policy/operations.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import type { Secret } from "../secret.ts";
import type { CredentialOptions, FileCredentialOptions, StoreOptions } from "../store/open.ts";
import type { SecretSource } from "../store/secret-source.ts";
import type { AdmissionLimits } from "../upstream/limiter.ts";
import type { CredentialAddress } from "./parse-secrets.ts";
import { sound } from "./parse.ts";
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
  readonly wayOut: WayOut;
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
  readonly admission: AdmissionLimits;
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
): Pick<Config, "origin" | "trust" | "wayOut" | "connectTimeoutMs"> {
  return {
    origin: sound(values.PRESTO_URL),
    trust: {
      caFile: values.PRESTO_CA_FILE,
      caOnly: sound(values.PRESTO_CA_ONLY),
      pins: values.PRESTO_TLS_PINS ?? [],
    },
    wayOut: { localAddress: values.PRESTO_EGRESS_ADDRESS, gateway: gatewaySource(values) },
    connectTimeoutMs: sound(values.PRESTO_CONNECT_TIMEOUT),
  };
}

function gatewaySource({
  PRESTO_EGRESS_PROXY: gateway,
  PRESTO_EGRESS_PROXY_FILE: path,
}: Values): GatewaySource | undefined {
  if (gateway !== undefined) return { kind: "value", gateway };
  return path === undefined ? undefined : { kind: "file", path };
}

/** What knowing the address that calls leave from needs. */
export function egressCheckOptions(values: Values): EgressCheckSettings {
  return { registered: values.PRESTO_EGRESS_IPS ?? [], urls: values.PRESTO_EGRESS_CHECK_URL ?? [] };
}

/** What the chosen store needs. */
export function storeOptions(values: Values): StoreOptions {
  const store = sound(values.PRESTO_STORE);
  if (store.kind === "env") {
    return { kind: "env", token: secretSource(values.PRESTO_TOKEN, values.PRESTO_TOKEN_FILE) };
  }
  return { kind: "file", path: store.path, keys: keySource(values) };
}

/** What a role that issues needs; undefined for the one that does not. */
export function issuingOptions(values: Values): IssuingOptions | undefined {
  if (sound(values.PRESTO_ROLE) === "proxy") return undefined;
  return {
    credentials: credentialOptions(values),
    tokenName: sound(values.PRESTO_TOKEN_NAME),
    tokenDays: sound(values.PRESTO_TOKEN_DAYS),
    automatic: sound(values.PRESTO_RENEW) === "auto",
    renewAt: sound(values.PRESTO_RENEW_AT),
    window: values.PRESTO_RENEW_WINDOW,
    probeEveryMs: sound(values.PRESTO_PROBE_EVERY),
    settleMs: sound(values.PRESTO_SETTLE),
  };
}

function credentialOptions(values: Values): CredentialOptions {
  const address = values.PRESTO_CREDENTIALS;
  if (address !== undefined) return sealedCredentials(address, values);
  return {
    kind: "env",
    email: secretSource(values.PRESTO_EMAIL, values.PRESTO_EMAIL_FILE),
    password: secretSource(values.PRESTO_PASSWORD, values.PRESTO_PASSWORD_FILE),
  };
}

/** Credentials in a sealed file. */
export function sealedCredentials({ path }: CredentialAddress, values: Values): FileCredentialOptions {
  return { kind: "file", path, keys: keySource(values) };
}

function keySource(values: Values): SecretSource {
  return secretSource(values.PRESTO_STORE_KEY, values.PRESTO_STORE_KEY_FILE);
}

function secretSource(secret: Secret | undefined, path: string | undefined): SecretSource {
  return secret === undefined ? { kind: "file", path: sound(path) } : { kind: "value", secret };
}
