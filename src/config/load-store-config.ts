import { Failure } from "../errors.ts";
import type { StoreOptions } from "../store/open.ts";
import { cleanVariables, type CleanVariables } from "./clean.ts";
import type { Config } from "./config.ts";
import { findDangers } from "./dangers.ts";
import { findStrangeNames } from "./names.ts";
import { storeOptions, upstreamOptions } from "./options-of.ts";
import { configurationFailure } from "./report.ts";
import { proxyRules } from "./role-rules.ts";
import { trustRules } from "./rules.ts";
import { credentialRules, formRules, storeRules, tokenRules } from "./secret-rules.ts";
import { sound } from "./sound.ts";

/** What asking Presto whether a token lives needs. Durations are milliseconds. */
export type UpstreamConfig = Pick<Config, "origin" | "trust" | "wayOut" | "connectTimeoutMs" | "timeoutMs">;

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
 * @throws Failure `configuration` that names every problem at once; `refused` where a token can't be stored in `env:`
 */
export function loadStoreConfig(
  env: NodeJS.ProcessEnv,
  execArgv: readonly string[],
  use: "read" | "write",
): StoreConfig {
  const clean = cleanVariables(env);
  const dangers = findDangers(env, execArgv);
  const toReadOnly = use === "write" && clean.values.PRESTO_STORE?.kind === "env";
  const problems = [
    ...dangers.problems,
    ...findStrangeNames(env),
    ...clean.problems,
    ...proxyRules(clean),
    ...formRules(clean),
    ...(toReadOnly ? [] : tokenRules(clean)),
    ...storeRules(clean),
    ...credentialRules(clean),
    ...trustRules(clean),
  ];
  if (problems.length > 0) throw configurationFailure(problems);
  if (toReadOnly) {
    throw new Failure(
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
}: CleanVariables): Pick<StoreConfig, "upstream" | "probeReference"> {
  return {
    upstream: given.has("PRESTO_URL")
      ? { ...upstreamOptions(values), timeoutMs: sound(values.PRESTO_TIMEOUT) }
      : undefined,
    probeReference: sound(values.PRESTO_PROBE_REFERENCE),
  };
}
