import { walletOperations } from "../policy/operations.ts";
import type { StoreOptions } from "../store/open-store.ts";
import { cleanVariables, type CleanVariables, type Values } from "./clean.ts";
import type { Config } from "./config.ts";
import { findDangers } from "./dangers.ts";
import { findStrangeNames } from "./names.ts";
import { configurationFailure, type ConfigProblem } from "./report.ts";
import { listenRules, oddities, storeRules, timeRules, trustRules, urlRules } from "./rules.ts";
import { sound } from "./sound.ts";

/** Either a configuration to run with, or everything that is wrong with it. */
export type Examined =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the whole configuration out of an environment. Opens no file and no socket.
 * @param execArgv Node's own arguments, which can be as dangerous as NODE_OPTIONS
 */
export function examineConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Examined {
  const clean = cleanVariables(env);
  const dangers = findDangers(env, execArgv);
  const problems = [
    ...dangers.problems,
    ...findStrangeNames(env),
    ...clean.problems,
    ...urlRules(clean),
    ...storeRules(clean),
    ...trustRules(clean),
    ...listenRules(clean),
    ...timeRules(clean),
  ];
  if (problems.length > 0) return { config: undefined, problems };
  return { config: buildConfig(clean, [...dangers.warnings, ...oddities(clean)]), problems: [] };
}

/**
 * The configuration to run with.
 * @throws Failure `configuration` that names every problem at once
 */
export function loadConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Config {
  const examined = examineConfig(env, execArgv);
  if (examined.config === undefined) throw configurationFailure(examined.problems);
  return examined.config;
}

const holdMaxMs = 5000;

function buildConfig({ values }: CleanVariables, warnings: readonly string[]): Config {
  const control = sound(values.PRESTO_CONTROL_LISTEN);
  const timeoutMs = sound(values.PRESTO_TIMEOUT);
  return {
    role: sound(values.PRESTO_ROLE),
    ...upstreamOptions(values),
    timeoutMs,
    listen: sound(values.PRESTO_LISTEN),
    hosts: values.PRESTO_HOSTS ?? [],
    adminListen: sound(values.PRESTO_ADMIN_LISTEN),
    controlListen: control === "off" ? undefined : control,
    store: storeOptions(values),
    operations: [...walletOperations, ...(values.PRESTO_OPERATIONS ?? [])],
    maxBody: sound(values.PRESTO_MAX_BODY),
    admission: {
      maxInFlight: sound(values.PRESTO_MAX_IN_FLIGHT),
      maxQueue: sound(values.PRESTO_MAX_QUEUE),
      maxBuffered: sound(values.PRESTO_MAX_BUFFERED),
    },
    holdMaxMs: values.PRESTO_HOLD_MAX ?? Math.min(holdMaxMs, Math.floor(timeoutMs / 2)),
    drainMinMs: sound(values.PRESTO_DRAIN_MIN),
    drainMaxMs: sound(values.PRESTO_DRAIN_MAX),
    logLevel: sound(values.PRESTO_LOG_LEVEL),
    warnings,
  };
}

/** What speaking to Presto needs. Only for values without a problem. */
export function upstreamOptions(values: Values): Pick<Config, "origin" | "trust" | "connectTimeoutMs"> {
  return {
    origin: sound(values.PRESTO_URL),
    trust: {
      caFile: values.PRESTO_CA_FILE,
      caOnly: sound(values.PRESTO_CA_ONLY),
      pins: values.PRESTO_TLS_PINS ?? [],
    },
    connectTimeoutMs: sound(values.PRESTO_CONNECT_TIMEOUT),
  };
}

/** What the chosen store needs. Only for values without a problem. */
export function storeOptions(values: Values): StoreOptions {
  const store = sound(values.PRESTO_STORE);
  if (store.kind === "env") {
    const secret = values.PRESTO_TOKEN;
    return {
      kind: "env",
      token:
        secret === undefined
          ? { kind: "file", path: sound(values.PRESTO_TOKEN_FILE) }
          : { kind: "value", secret },
    };
  }
  const secret = values.PRESTO_STORE_KEY;
  const keys =
    secret === undefined
      ? ({ kind: "file", path: sound(values.PRESTO_STORE_KEY_FILE) } as const)
      : ({ kind: "value", secret } as const);
  return { kind: "file", path: store.path, keys };
}
