import { CommandError } from "../errors.ts";
import { walletOperations } from "../policy/operations.ts";
import type { FileCredentialOptions, StoreOptions } from "../store/open.ts";
import { type ConfigProblem, configurationError, required } from "./parse.ts";
import { readVariables, type ReadVariables, findUnknownNames } from "./read.ts";
import {
  credentialRules,
  formRules,
  issuerRules,
  issues,
  listenRules,
  proxyRules,
  storeRules,
  timeRules,
  tokenRules,
  trustRules,
  urlRules,
} from "./rules.ts";
import {
  type Config,
  egressCheckOptions,
  issuingOptions,
  sealedCredentials,
  storeOptions,
  upstreamOptions,
} from "./sections.ts";
import { findUnsafe } from "./unsafe-environment.ts";
import { warnings } from "./warnings.ts";

/** Either a configuration to run with, or everything that is wrong with it. */
export type Examined =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the whole configuration out of an environment. Opens no file and no socket.
 * @param execArgv Node's own arguments, which can be as dangerous as NODE_OPTIONS
 */
export function examineConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Examined {
  const clean = readVariables(env);
  const dangers = findUnsafe(env, execArgv);
  const problems = [
    ...dangers.problems,
    ...findUnknownNames(env),
    ...clean.problems,
    ...urlRules(clean),
    ...proxyRules(clean),
    ...issuerRules(clean),
    ...formRules(clean),
    // A role that issues can't have env: at all, and has been told so.
    ...(issues(clean) ? [] : tokenRules(clean)),
    ...storeRules(clean),
    ...credentialRules(clean),
    ...trustRules(clean),
    ...listenRules(clean),
    ...timeRules(clean),
  ];
  if (problems.length > 0) return { config: undefined, problems };
  return { config: buildConfig(clean, [...dangers.warnings, ...warnings(clean)]), problems: [] };
}

/**
 * The configuration to run with.
 * @throws CommandError `configuration` that names every problem at once
 */
export function loadConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Config {
  const examined = examineConfig(env, execArgv);
  if (examined.config === undefined) throw configurationError(examined.problems);
  return examined.config;
}

const holdMaxMs = 5000;

function buildConfig({ values }: ReadVariables, warnings: readonly string[]): Config {
  const control = required(values.PRESTO_CONTROL_LISTEN);
  const timeoutMs = required(values.PRESTO_TIMEOUT);
  const role = required(values.PRESTO_ROLE);
  return {
    role,
    issuing: issuingOptions(values),
    probeReference: required(values.PRESTO_PROBE_REFERENCE),
    ...upstreamOptions(values),
    egressCheck: egressCheckOptions(values),
    timeoutMs,
    listen: role === "rotator" ? [] : required(values.PRESTO_LISTEN),
    hosts: values.PRESTO_HOSTS ?? [],
    adminListen: required(values.PRESTO_ADMIN_LISTEN),
    controlListen: control === "off" ? undefined : control,
    store: storeOptions(values),
    operations: [...walletOperations, ...(values.PRESTO_OPERATIONS ?? [])],
    maxBody: required(values.PRESTO_MAX_BODY),
    admission: {
      maxInFlight: required(values.PRESTO_MAX_IN_FLIGHT),
      maxQueue: required(values.PRESTO_MAX_QUEUE),
      maxBuffered: required(values.PRESTO_MAX_BUFFERED),
    },
    holdMaxMs: values.PRESTO_HOLD_MAX ?? Math.min(holdMaxMs, Math.floor(timeoutMs / 2)),
    drainMinMs: required(values.PRESTO_DRAIN_MIN),
    drainMaxMs: required(values.PRESTO_DRAIN_MAX),
    logLevel: required(values.PRESTO_LOG_LEVEL),
    warnings,
  };
}

/** What asking Presto whether a token lives needs. Durations are milliseconds. */
export type UpstreamConfig = Pick<Config, "origin" | "trust" | "egress" | "connectTimeoutMs" | "timeoutMs">;

/** What the commands about the stored token need. */
export interface StoreConfig {
  readonly store: StoreOptions;
  /** Undefined where PRESTO_URL is not set. */
  readonly upstream: UpstreamConfig | undefined;
  /** Made-up transaction reference that probes ask for. */
  readonly probeReference: string;
  /** Sentences to tell: what is allowed but odd. */
  readonly warnings: readonly string[];
}

/**
 * The part of the configuration that is about the store. Every variable that is given must
 * be right all the same: one that is wrong here would stop the start later.
 * @param use `write` where the command stores a token
 * @throws CommandError `configuration` that names every problem at once; `refused` where a token can't be stored in `env:`
 */
export function loadStoreConfig(
  env: NodeJS.ProcessEnv,
  execArgv: readonly string[],
  use: "read" | "write",
): StoreConfig {
  const clean = readVariables(env);
  const dangers = findUnsafe(env, execArgv);
  const toReadOnly = use === "write" && clean.values.PRESTO_STORE?.kind === "env";
  const problems = [
    ...dangers.problems,
    ...findUnknownNames(env),
    ...clean.problems,
    ...proxyRules(clean),
    ...formRules(clean),
    ...(toReadOnly ? [] : tokenRules(clean)),
    ...storeRules(clean),
    ...credentialRules(clean),
    ...trustRules(clean),
  ];
  if (problems.length > 0) throw configurationError(problems);
  if (toReadOnly) {
    throw new CommandError(
      "refused",
      "PRESTO_STORE is env:, which no command can write. Set it to a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.",
    );
  }
  return { store: storeOptions(clean.values), ...askingOptions(clean), warnings: dangers.warnings };
}

/** Where and what to ask. Only for values without a problem. */
export function askingOptions({
  values,
  given,
}: ReadVariables): Pick<StoreConfig, "upstream" | "probeReference"> {
  return {
    upstream: given.has("PRESTO_URL")
      ? { ...upstreamOptions(values), timeoutMs: required(values.PRESTO_TIMEOUT) }
      : undefined,
    probeReference: required(values.PRESTO_PROBE_REFERENCE),
  };
}

/** What the commands about the account's credentials need. */
export interface CredentialConfig {
  /** A form that can be written. */
  readonly credentials: FileCredentialOptions;
  /** Where the token lives; undefined for `env:`, where nobody renews one and there is no lock to take. */
  readonly store: Extract<StoreOptions, { readonly kind: "file" }> | undefined;
  /** Undefined where PRESTO_URL is not set. */
  readonly upstream: UpstreamConfig | undefined;
  /** Made-up transaction reference that probes ask for. */
  readonly probeReference: string;
  /** Sentences to tell: what is allowed but odd. */
  readonly warnings: readonly string[];
}

/**
 * The part of the configuration that is about the credentials. As for the store, every
 * variable that is given must be right; but whoever runs such a command by hand need not name
 * a role, and only one that is named can forbid credentials.
 * @throws CommandError `configuration` that names every problem at once; `refused` without PRESTO_CREDENTIALS
 */
export function loadCredentialConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): CredentialConfig {
  const clean = readVariables(env);
  const { values, given } = clean;
  const dangers = findUnsafe(env, execArgv);
  const problems = [
    ...dangers.problems,
    ...findUnknownNames(env),
    ...clean.problems,
    ...(given.has("PRESTO_ROLE") ? proxyRules(clean) : []),
    ...formRules(clean),
    ...storeRules(clean),
    ...credentialRules(clean),
    ...trustRules(clean),
  ];
  if (problems.length > 0) throw configurationError(problems);
  const address = values.PRESTO_CREDENTIALS;
  if (address === undefined) {
    throw new CommandError(
      "refused",
      "PRESTO_CREDENTIALS is not set, and it is the only form of the credentials that a command can write. Set it, such as PRESTO_CREDENTIALS=file:/var/lib/presto/credentials.",
    );
  }
  const options = values.PRESTO_STORE?.kind === "file" ? storeOptions(values) : undefined;
  const store = options?.kind === "file" ? options : undefined;
  return {
    credentials: sealedCredentials(address, values),
    store,
    ...askingOptions(clean),
    warnings: dangers.warnings,
  };
}
