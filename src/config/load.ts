import { walletOperations } from "../policy/operations.ts";
import { cleanVariables, type CleanVariables } from "./clean.ts";
import type { Config } from "./config.ts";
import { findDangers } from "./dangers.ts";
import { findStrangeNames } from "./names.ts";
import { oddities } from "./oddities.ts";
import { egressCheckOptions, issuingOptions, storeOptions, upstreamOptions } from "./options-of.ts";
import { configurationFailure, type ConfigProblem } from "./report.ts";
import { issuerRules, issues, proxyRules } from "./role-rules.ts";
import { listenRules, timeRules, trustRules, urlRules } from "./rules.ts";
import { credentialRules, formRules, storeRules, tokenRules } from "./secret-rules.ts";
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
  const role = sound(values.PRESTO_ROLE);
  return {
    role,
    issuing: issuingOptions(values),
    probeReference: sound(values.PRESTO_PROBE_REFERENCE),
    ...upstreamOptions(values),
    egressCheck: egressCheckOptions(values),
    timeoutMs,
    listen: role === "rotator" ? [] : sound(values.PRESTO_LISTEN),
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
