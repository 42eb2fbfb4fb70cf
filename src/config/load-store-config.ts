import { Failure } from "../errors.ts";
import type { StoreOptions } from "../store/open-store.ts";
import { cleanVariables } from "./clean.ts";
import type { Config } from "./config.ts";
import { findDangers } from "./dangers.ts";
import { storeOptions, upstreamOptions } from "./load.ts";
import { findStrangeNames } from "./names.ts";
import { configurationFailure } from "./report.ts";
import { storeRules, trustRules } from "./rules.ts";
import { sound } from "./sound.ts";

/** What the commands about the stored token need. Durations are milliseconds. */
export interface StoreConfig {
  readonly store: StoreOptions;
  /** Where to ask whether a token lives; undefined where PRESTO_URL is not set. */
  readonly upstream: Pick<Config, "origin" | "trust" | "connectTimeoutMs" | "timeoutMs"> | undefined;
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
  const { values, given } = clean;
  const dangers = findDangers(env, execArgv);
  const toReadOnly = use === "write" && values.PRESTO_STORE?.kind === "env";
  const problems = [
    ...dangers.problems,
    ...findStrangeNames(env),
    ...clean.problems,
    ...(toReadOnly ? [] : storeRules(clean)),
    ...trustRules(clean),
  ];
  if (problems.length > 0) throw configurationFailure(problems);
  if (toReadOnly) {
    throw new Failure(
      "refused",
      "PRESTO_STORE is env:, which no command can write. Set it to a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.",
    );
  }
  return {
    store: storeOptions(values),
    upstream: given.has("PRESTO_URL")
      ? { ...upstreamOptions(values), timeoutMs: sound(values.PRESTO_TIMEOUT) }
      : undefined,
    warnings: dangers.warnings,
  };
}
