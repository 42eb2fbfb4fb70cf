import { Failure } from "../errors.ts";
import type { FileCredentialOptions, StoreOptions } from "../store/open.ts";
import { cleanVariables } from "./clean.ts";
import { findDangers } from "./dangers.ts";
import { askingOptions, type UpstreamConfig } from "./load-store-config.ts";
import { findStrangeNames } from "./names.ts";
import { sealedCredentials, storeOptions } from "./options-of.ts";
import { configurationFailure } from "./report.ts";
import { proxyRules } from "./role-rules.ts";
import { trustRules } from "./rules.ts";
import { credentialRules, formRules, storeRules } from "./secret-rules.ts";

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
 * @throws Failure `configuration` that names every problem at once; `refused` without PRESTO_CREDENTIALS
 */
export function loadCredentialConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): CredentialConfig {
  const clean = cleanVariables(env);
  const { values, given } = clean;
  const dangers = findDangers(env, execArgv);
  const problems = [
    ...dangers.problems,
    ...findStrangeNames(env),
    ...clean.problems,
    ...(given.has("PRESTO_ROLE") ? proxyRules(clean) : []),
    ...formRules(clean),
    ...storeRules(clean),
    ...credentialRules(clean),
    ...trustRules(clean),
  ];
  if (problems.length > 0) throw configurationFailure(problems);
  const address = values.PRESTO_CREDENTIALS;
  if (address === undefined) {
    throw new Failure(
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
