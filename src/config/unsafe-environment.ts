import type { ConfigProblem } from "./parse.ts";

/** What the process was started under. */
export interface Environment {
  readonly variables: NodeJS.ProcessEnv;
  /** Node's own arguments (`node --inspect main.js`): they can do what NODE_OPTIONS can. */
  readonly execArgv: readonly string[];
}

/** The only place in the program that reads the process's environment; everything else is handed it. */
export function readEnvironment(): Environment {
  return { variables: { ...process.env }, execArgv: [...process.execArgv] };
}

/** What the environment would do to the program's promises. */
export interface UnsafeEnvironment {
  readonly problems: readonly ConfigProblem[];
  /** Sentences: allowed, but an operator should know. */
  readonly warnings: readonly string[];
  /** Sentences about what does nothing here, for whoever may believe that it does. */
  readonly withoutEffect: readonly string[];
}

interface Unsafe {
  /** A variable; or a flag of Node's, in which a `*` at the end stands for anything. */
  readonly name: string;
  /** What it would do. */
  readonly reason: string;
}

/** A variable that is unsafe whatever it says, with this value alone, or with any other than this. */
interface UnsafeVariable extends Unsafe {
  readonly onlyWith?: string;
  readonly exceptWith?: string;
}

export const unsafeVariables: readonly UnsafeVariable[] = [
  {
    name: "NODE_TLS_REJECT_UNAUTHORIZED",
    // Node looks for exactly this value (lib/_tls_wrap.js).
    onlyWith: "0",
    reason:
      "turns certificate checks off, and the token would go to whoever answers; a private CA is trusted by PRESTO_CA_FILE",
  },
  {
    name: "SSLKEYLOGFILE",
    reason:
      "asks for the keys of TLS connections to be written to a file, which opens every call and the token to its readers",
  },
  {
    name: "NODE_USE_ENV_PROXY",
    exceptWith: "0",
    reason: "lets HTTP_PROXY and HTTPS_PROXY say where calls go",
  },
  {
    name: "OPENSSL_CONF",
    reason: "lets a file weaken TLS or load code into it",
  },
];

/** In NODE_OPTIONS, or behind `node`. */
export const unsafeFlags: readonly Unsafe[] = [
  { name: "--inspect*", reason: "opens a debugger, which can read the token out of memory" },
  { name: "--tls-keylog", reason: "writes the keys of TLS connections to a file" },
  { name: "--tls-min-v1.0", reason: "allows TLS versions that are broken" },
  { name: "--tls-min-v1.1", reason: "allows TLS versions that are broken" },
  { name: "--insecure-http-parser", reason: "accepts malformed HTTP, by which requests are smuggled" },
  { name: "--use-env-proxy", reason: "lets HTTP_PROXY and HTTPS_PROXY say where calls go" },
  { name: "--openssl-config", reason: "lets a file weaken TLS or load code into it" },
  { name: "--heapsnapshot-*", reason: "writes the memory, with the token in it, to a file" },
  { name: "--heap-prof*", reason: "writes what is in memory to a file" },
  {
    name: "--report-*",
    reason: "writes reports to files, which may hold the environment and the command line",
  },
  // undici reads HTTP by WebAssembly: without it a sidecar is ready, and each call ends as "unreachable".
  { name: "--jitless", reason: "takes WebAssembly away, without which no answer of Presto's can be read" },
  // find-my-way, which Fastify routes by, makes functions of strings.
  {
    name: "--disallow-code-generation-from-strings",
    reason: "forbids what the HTTP framework's router is made by, so that nothing could be served",
  },
];

/** Code that is loaded before ours can do all of the above unseen; but tracing agents are loaded so, and operators ask for them. */
const loadingFlags =
  /^(?:-r|--require|--import|--loader|--experimental-loader|--experimental-config-file|--experimental-default-config-file)$/;

/**
 * Looks at what Node was started under. A flag does the same in NODE_OPTIONS as behind `node`.
 * An empty variable counts as not set. No value is shown.
 */
export function findUnsafe(env: NodeJS.ProcessEnv, execArgv: readonly string[]): UnsafeEnvironment {
  const problems = unsafeVariables
    .filter((unsafe) => isSetTo(unsafe, env[unsafe.name]))
    .map(({ name, reason }): ConfigProblem => ({ variable: name, wrong: reason, example: `unset ${name}` }));
  const warnings: string[] = [];
  const flags = [
    ...flagNames(splitNodeOptions(env["NODE_OPTIONS"] ?? "")).map((flag) => ({
      flag,
      where: "NODE_OPTIONS",
    })),
    ...flagNames(execArgv).map((flag) => ({ flag, where: "node" })),
  ];
  for (const { flag, where } of flags) {
    const unsafe = unsafeFlags.find(({ name }) => isFlag(name, flag));
    if (unsafe !== undefined) {
      problems.push({
        variable: `${where} ${flag}`,
        wrong: unsafe.reason,
        example: `${where} without ${flag}`,
      });
    } else if (loadingFlags.test(flag)) {
      warnings.push(
        `${where} ${flag} loads code or settings before this program, which can then promise nothing about what they do with the token.`,
      );
    }
  }
  return { problems, warnings, withoutEffect: withoutEffect(env) };
}

const proxyVariables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/** Other programs go by these. Their values are not shown: a proxy's may have a password in it. */
function withoutEffect(env: NodeJS.ProcessEnv): string[] {
  const isGiven = (name: string): boolean => (env[name] ?? "") !== "";
  const sentences: string[] = [];
  if (isGiven("NODE_EXTRA_CA_CERTS")) {
    sentences.push(
      "NODE_EXTRA_CA_CERTS has no effect on calls to Presto; to trust a private CA, name its file in PRESTO_CA_FILE.",
    );
  }
  const proxy = proxyVariables.find(isGiven);
  if (proxy !== undefined && !isGiven("PRESTO_EGRESS_PROXY") && !isGiven("PRESTO_EGRESS_PROXY_FILE")) {
    sentences.push(
      `${proxy} has no effect; where calls to Presto must leave by a proxy, name it in PRESTO_EGRESS_PROXY.`,
    );
  }
  return sentences;
}

function isSetTo({ onlyWith, exceptWith }: UnsafeVariable, value: string | undefined): boolean {
  if (value === undefined || value === "" || value === exceptWith) return false;
  return onlyWith === undefined || value === onlyWith;
}

function isFlag(name: string, flag: string): boolean {
  return name.endsWith("*") ? flag.startsWith(name.slice(0, -1)) : flag === name;
}

/** Names of the flags, each once. Node reads `--tls_keylog` as `--tls-keylog`. */
function flagNames(args: readonly string[]): string[] {
  const names = args
    .filter((arg) => arg.startsWith("-"))
    .map((arg) => arg.split("=", 1)[0] ?? arg)
    .map((name) => (name.startsWith("--") ? `--${name.slice(2).replaceAll("_", "-")}` : name));
  return [...new Set(names)];
}

/**
 * As Node splits it (src/node_options.cc, ParseNodeOptionsEnvVar): at spaces, but for
 * those in double quotes, where a backslash keeps the next character.
 */
function splitNodeOptions(text: string): string[] {
  const args: string[] = [];
  let arg = "";
  let quoted = false;
  let escaped = false;
  for (const letter of text) {
    if (escaped) {
      arg += letter;
      escaped = false;
    } else if (quoted && letter === "\\") {
      escaped = true;
    } else if (letter === '"') {
      quoted = !quoted;
    } else if (letter === " " && !quoted) {
      args.push(arg);
      arg = "";
    } else {
      arg += letter;
    }
  }
  return [...args, arg];
}
