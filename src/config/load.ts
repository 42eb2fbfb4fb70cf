import type { AuditOptions } from "../audit/types.ts";
import { CommandError } from "../errors.ts";
import type { LogFormat } from "../observe/log-format.ts";
import type { StoredCredentialOptions, StoreOptions } from "../store/open.ts";
import { type ConfigProblem, configError, InvalidValue, parseLogFormat, required } from "./parse.ts";
import { findPortNumbers, findUnknownVariables, type ReadVariables, readVariables } from "./read.ts";
import { checkRules, type Purpose } from "./rules.ts";
import {
  auditOptions,
  type Config,
  sidecarOptions,
  storedCredentials,
  storeOptions,
  type UpstreamConfig,
  upstreamOptions,
} from "./sections.ts";
import { findUnsafe, type UnsafeEnvironment } from "./unsafe-environment.ts";
import { warnings } from "./warnings.ts";

/** What a command has that is not the sidecar itself. */
interface CommandConfig {
  /** Undefined where PRESTO_URL is not set. */
  readonly upstream: UpstreamConfig | undefined;
  /** Undefined where no record of money and credentials is kept. */
  readonly audit: AuditOptions | undefined;
  /** Sentences to tell: what is allowed but odd. */
  readonly warnings: readonly string[];
}

/** What the commands about the stored token need. */
export interface StoreConfig extends CommandConfig {
  readonly store: StoreOptions;
}

/** What the commands about the account's credentials need. */
export interface CredentialConfig extends CommandConfig {
  /** A form that can be written. */
  readonly credentials: StoredCredentialOptions;
  /** Where the token lives. One that can only be read has no lock, and need not be complete: nobody opens it. */
  readonly store: StoreOptions;
}

/** What each purpose gets. */
interface Configs {
  readonly start: Config;
  readonly "read-store": StoreConfig;
  readonly "write-store": StoreConfig;
  readonly "write-credentials": CredentialConfig;
}

/** What is odd about the surroundings, as sentences. */
type Oddities = Pick<UnsafeEnvironment, "warnings" | "withoutEffect">;

/** Makes what a purpose gets, of variables without a problem. */
type Build<T> = (read: ReadVariables, odd: Oddities) => T;

const builds: { readonly [P in Purpose]: Build<Configs[P]> } = {
  start: (read, odd) => ({
    ...sidecarOptions(read),
    warnings: [...odd.warnings, ...odd.withoutEffect, ...warnings(read)],
  }),
  "read-store": buildStoreConfig,
  "write-store": (read, odd) => {
    const { kind, canWrite } = required(read.values.PRESTO_STORE);
    if (canWrite) return buildStoreConfig(read, odd);
    throw new CommandError(
      "refused",
      `PRESTO_STORE is ${kind}:, which no command can write. Set it to a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.`,
    );
  },
  "write-credentials": buildCredentialConfig,
};

/** Either a configuration, or everything that is wrong with it. */
export type Examined<T> =
  | { readonly config: T; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the configuration of a sidecar out of an environment. Opens no file and no socket.
 * @param execArgv Node's own arguments, which can be as dangerous as NODE_OPTIONS
 */
export function examineConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Examined<Config> {
  return examine(env, execArgv, "start");
}

/**
 * The configuration of a sidecar, or what another purpose needs of it.
 * @throws CommandError `configuration` that names every problem at once; `refused` where the purpose writes to a place that can only be read
 */
export function loadConfig(env: NodeJS.ProcessEnv, execArgv: readonly string[]): Config;
export function loadConfig<P extends Purpose>(
  env: NodeJS.ProcessEnv,
  execArgv: readonly string[],
  purpose: P,
): Configs[P];
export function loadConfig(
  env: NodeJS.ProcessEnv,
  execArgv: readonly string[],
  purpose: Purpose = "start",
): Configs[Purpose] {
  const { config, problems } = examine(env, execArgv, purpose);
  if (config === undefined) throw configError(problems);
  return config;
}

/**
 * What PRESTO_LOG_FORMAT says, if it says it rightly: a start that fails over another variable has a
 * line in the log, too.
 */
export function readLogFormat(env: NodeJS.ProcessEnv): LogFormat | undefined {
  const text = env["PRESTO_LOG_FORMAT"] ?? "";
  try {
    return text === "" ? undefined : parseLogFormat(text);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return undefined;
  }
}

/** Every variable that is given must be right, also where the purpose does not use it: it would stop the start later. */
function examine<P extends Purpose>(
  env: NodeJS.ProcessEnv,
  execArgv: readonly string[],
  purpose: P,
): Examined<Configs[P]> {
  const read = readVariables(env);
  const unsafe = findUnsafe(env, execArgv);
  const problems = [
    ...unsafe.problems,
    ...findUnknownVariables(env),
    ...read.problems,
    ...checkRules(read, purpose),
  ];
  if (problems.length > 0) return { config: undefined, problems };
  const build: Build<Configs[P]> = builds[purpose];
  const withoutEffect = [...unsafe.withoutEffect, ...findPortNumbers(env)];
  return { config: build(read, { warnings: unsafe.warnings, withoutEffect }), problems: [] };
}

function buildStoreConfig(read: ReadVariables, odd: Oddities): StoreConfig {
  return { store: storeOptions(read), ...commandConfig(read, odd) };
}

function buildCredentialConfig(read: ReadVariables, odd: Oddities): CredentialConfig {
  const { values } = read;
  const address = values.PRESTO_CREDENTIALS;
  if (address === undefined) {
    throw new CommandError(
      "refused",
      "PRESTO_CREDENTIALS is not set, and it is the only form of the credentials that a command can write. Set it, such as PRESTO_CREDENTIALS=file:/var/lib/presto/credentials.",
    );
  }
  return {
    credentials: storedCredentials(address, read),
    store: storeOptions(read),
    ...commandConfig(read, odd),
  };
}

/** What has no effect is told by those that look at a whole sidecar: start, check, doctor. */
function commandConfig({ values, given }: ReadVariables, { warnings }: Oddities): CommandConfig {
  return {
    upstream: given.has("PRESTO_URL") ? upstreamOptions(values) : undefined,
    audit: auditOptions(values),
    warnings,
  };
}
