import type { AuditOptions, ThisPod } from "../audit/types.ts";
import type { EgressRoute } from "../connect/open.ts";
import type { ProxySource } from "../connect/proxy-url.ts";
import type { Trust } from "../connect/trust.ts";
import type { RegistrationOptions } from "../egress-ip/open.ts";
import type { Origin } from "../lib/host.ts";
import type { ListenAddress } from "../listen/address.ts";
import type { LogLevel } from "../observe/log.ts";
import { type Operation, walletOperations } from "../policy/operations.ts";
import type { ProbeOptions } from "../presto/probe.ts";
import type { IssuingOptions } from "../renewal/types.ts";
import type { ClusterOptions } from "../store/kubernetes/cluster.ts";
import type {
  CredentialOptions,
  Place,
  ServerName,
  Servers,
  StoreOptions,
  StoredCredentialOptions,
} from "../store/open.ts";
import type { SecretSource } from "../store/secret-source.ts";
import type { Limits } from "../upstream/limiter.ts";
import { required } from "./parse.ts";
import { type ReadVariables, secretSource, type Values } from "./read.ts";
import { vaultAccess } from "./vault.ts";

// What the program is built from, and the options that other folders ask for, made of the variables' values: what a variable is called
// inside stands here and nowhere else. Only for values without a problem.

/** What speaking to Presto needs. Durations are milliseconds. */
export interface UpstreamConfig {
  readonly origin: Origin;
  readonly trust: Trust;
  readonly egress: EgressRoute;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly probe: ProbeOptions;
}

/** The whole configuration, checked: what the composition root builds the program from. Durations are milliseconds, sizes bytes. */
export interface Config extends UpstreamConfig {
  /** `proxy` serves, `rotator` issues, `all` does both. */
  readonly role: "proxy" | "rotator" | "all";
  /** What a role that issues needs; undefined for `proxy`. */
  readonly issuing: IssuingOptions | undefined;
  /** Which addresses are registered, and who is asked for ours. */
  readonly egressCheck: RegistrationOptions;
  /** Empty for `rotator`, which serves nothing. */
  readonly listen: readonly ListenAddress[];
  readonly hosts: readonly string[];
  readonly adminListen: ListenAddress;
  /** Undefined where it is turned off. */
  readonly controlListen: ListenAddress | undefined;
  readonly store: StoreOptions;
  /** The three wallet calls and those of PRESTO_OPERATIONS. */
  readonly operations: readonly Operation[];
  readonly maxBody: number;
  readonly limits: Limits;
  readonly holdMaxMs: number;
  /** `traceparent` goes on to Presto. */
  readonly traceUpstream: boolean;
  /** How long what became of calls that move money is asked for. */
  readonly settle: { readonly settleMs: number; readonly settleOutcomesMs: number };
  readonly drainMinMs: number;
  readonly drainMaxMs: number;
  /** Undefined where no record of money calls is kept. */
  readonly audit: AuditOptions | undefined;
  /** As Kubernetes names the Pod that this process runs in. */
  readonly pod: ThisPod;
  readonly logLevel: LogLevel;
  /** How this process is called among others. */
  readonly service: string;
  /** Where spans of calls go; undefined where none are made. */
  readonly traces: { readonly endpoint: string; readonly headers: SecretSource | undefined } | undefined;
  /** Sentences to log at start: what is allowed but odd. */
  readonly warnings: readonly string[];
}

/** What the sidecar is built from, but for the warnings. */
export function sidecarOptions(read: ReadVariables): Omit<Config, "warnings"> {
  const { values } = read;
  const control = required(values.PRESTO_CONTROL_LISTEN);
  const role = required(values.PRESTO_ROLE);
  return {
    role,
    issuing: role === "proxy" ? undefined : issuingOptions(read),
    ...upstreamOptions(values),
    egressCheck: { registered: values.PRESTO_EGRESS_IPS ?? [], urls: values.PRESTO_EGRESS_CHECK_URL ?? [] },
    listen: role === "rotator" ? [] : required(values.PRESTO_LISTEN),
    hosts: values.PRESTO_HOSTS ?? [],
    adminListen: required(values.PRESTO_ADMIN_LISTEN),
    controlListen: control === "off" ? undefined : control,
    store: storeOptions(read),
    operations: [...walletOperations, ...(values.PRESTO_OPERATIONS ?? [])],
    maxBody: required(values.PRESTO_MAX_BODY),
    limits: {
      maxInFlight: required(values.PRESTO_MAX_IN_FLIGHT),
      maxQueue: required(values.PRESTO_MAX_QUEUE),
      maxBuffered: required(values.PRESTO_MAX_BUFFERED),
    },
    holdMaxMs: required(values.PRESTO_HOLD_MAX),
    traceUpstream: required(values.PRESTO_TRACE_UPSTREAM),
    settle: {
      settleMs: required(values.PRESTO_SETTLE),
      settleOutcomesMs: required(values.PRESTO_SETTLE_OUTCOMES),
    },
    drainMinMs: required(values.PRESTO_DRAIN_MIN),
    drainMaxMs: required(values.PRESTO_DRAIN_MAX),
    audit: auditOptions(values),
    pod: { name: values.POD_NAME, namespace: values.POD_NAMESPACE },
    logLevel: required(values.PRESTO_LOG_LEVEL),
    service: required(values.OTEL_SERVICE_NAME),
    traces: tracesOptions(values),
  };
}

/** The collector's address for traces is below its own, unless it is given whole (OTLP exporter specification, "Endpoint URLs for OTLP/HTTP"). */
function tracesOptions(values: Values): Config["traces"] {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole } = values;
  const endpoint = whole ?? (base === undefined ? undefined : `${base.replace(/\/$/, "")}/v1/traces`);
  if (endpoint === undefined) return undefined;
  return {
    endpoint,
    headers: secretSource(values, "OTEL_EXPORTER_OTLP_HEADERS"),
  };
}

/** Where the record of money calls is kept; undefined where none is. */
export function auditOptions(values: Values): AuditOptions | undefined {
  const place = required(values.PRESTO_AUDIT);
  return place === "off" ? undefined : { place, whenUnavailable: required(values.PRESTO_AUDIT_FULL) };
}

/** What speaking to Presto needs. */
export function upstreamOptions(values: Values): UpstreamConfig {
  const timeoutMs = required(values.PRESTO_TIMEOUT);
  return {
    origin: required(values.PRESTO_URL),
    trust: {
      caFile: values.PRESTO_CA_FILE,
      caOnly: required(values.PRESTO_CA_ONLY),
      pins: values.PRESTO_TLS_PINS ?? [],
    },
    egress: { localAddress: values.PRESTO_EGRESS_ADDRESS, proxy: proxySource(values) },
    connectTimeoutMs: required(values.PRESTO_CONNECT_TIMEOUT),
    timeoutMs,
    probe: { reference: required(values.PRESTO_PROBE_REFERENCE), timeoutMs },
  };
}

function proxySource({
  PRESTO_EGRESS_PROXY: proxy,
  PRESTO_EGRESS_PROXY_FILE: path,
}: Values): ProxySource | undefined {
  if (proxy !== undefined) return { kind: "value", proxy };
  return path === undefined ? undefined : { kind: "file", path };
}

/** What the chosen store needs. */
export function storeOptions(read: ReadVariables): StoreOptions {
  const { values } = read;
  const place = required(values.PRESTO_STORE);
  const lock = place.lock && (values.PRESTO_LOCK ?? place.lock);
  return {
    ...place,
    lock,
    pod: podName(values),
    token: place.takesToken ? secretSource(values, "PRESTO_TOKEN") : undefined,
    keys: place.sealing === "never" ? undefined : keySource(values),
    servers: {
      ...serversOf(place, read),
      ...(lock?.kind === "lease" ? { kubernetes: clusterOptions(read) } : {}),
    },
  };
}

function podName({ POD_NAMESPACE: namespace, POD_NAME: name }: Values): StoreOptions["pod"] {
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

function issuingOptions(read: ReadVariables): IssuingOptions {
  const { values } = read;
  return {
    credentials: credentialOptions(read),
    tokenName: required(values.PRESTO_TOKEN_NAME),
    tokenDays: required(values.PRESTO_TOKEN_DAYS),
    automatic: required(values.PRESTO_RENEW) === "auto",
    renewAt: required(values.PRESTO_RENEW_AT),
    window: values.PRESTO_RENEW_WINDOW,
    probeEveryMs: required(values.PRESTO_PROBE_EVERY),
    settleMs: required(values.PRESTO_SETTLE),
  };
}

function credentialOptions(read: ReadVariables): CredentialOptions {
  const { values } = read;
  const address = values.PRESTO_CREDENTIALS;
  if (address !== undefined) return storedCredentials(address, read);
  return {
    kind: "env",
    email: required(secretSource(values, "PRESTO_EMAIL")),
    password: required(secretSource(values, "PRESTO_PASSWORD")),
  };
}

/** Credentials in a place that can be written. */
export function storedCredentials(place: Place, read: ReadVariables): StoredCredentialOptions {
  return { ...place, keys: keySource(read.values), servers: serversOf(place, read) };
}

/** One for store, account and lock: they share who they are there. */
const clusters = new WeakMap<ReadVariables, ClusterOptions>();

/** Where a Pod finds its cluster is told by variables of Kubernetes's own, which are taken as they are. */
function clusterOptions(read: ReadVariables): ClusterOptions {
  const { values, surroundings } = read;
  const cluster = clusters.get(read) ?? {
    kubeconfig: values.KUBECONFIG ?? [],
    host: surroundings["KUBERNETES_SERVICE_HOST"],
    port: surroundings["KUBERNETES_SERVICE_PORT"],
    environment: surroundings,
  };
  clusters.set(read, cluster);
  return cluster;
}

/** What the server that keeps the place asks for. */
function serversOf({ server }: Place, read: ReadVariables): Partial<Servers> {
  return server === undefined ? {} : { [server]: accessTo[server](read) };
}

const accessTo: { readonly [S in ServerName]: (read: ReadVariables) => Servers[S] } = {
  kubernetes: clusterOptions,
  vault: ({ values }) => vaultAccess(values),
};

function keySource(values: Values): SecretSource | undefined {
  return secretSource(values, "PRESTO_STORE_KEY");
}
