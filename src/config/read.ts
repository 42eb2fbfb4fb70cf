import { type CleanedEnv, type CleanedEnvAccessors, customCleanEnv } from "envalid";

import { nearestName } from "../lib/nearest-name.ts";
import type { SecretSource } from "../store/secret-source.ts";
import { type ConfigProblem, InvalidValue } from "./parse.ts";
import { isVariableName, rowOf, textOf, type VariableName, variableNames, variables } from "./variables.ts";

/**
 * Names that Kubernetes puts into every container for a Service called `presto` or
 * `presto-…` (kubernetes/kubernetes pkg/kubelet/envvars): nobody's spelling mistake.
 */
const serviceName =
  /^PRESTO_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Of a Service's names, those that Kubernetes gives a URL (`tcp://10.0.0.1:80`), and those among them to which it gives a number. */
const portName = /^PRESTO_(?:[A-Z0-9_]+_)?PORT$/;
const numberName = /_(?:SERVICE|\d+_(?:TCP|UDP|SCTP))_PORT$/;

/**
 * Sentences about names that are taken for a Service's, and have a plain number: somebody set
 * them by hand, and believes that a port is set by them.
 */
export function findPortNumbers(env: NodeJS.ProcessEnv): string[] {
  const isTaken = (name: string): boolean => portName.test(name) && !numberName.test(name);
  return Object.keys(env)
    .filter((name) => isTaken(name) && name.length <= longestName && !isVariableName(name))
    .filter((name) => /^\d{1,5}$/.test(env[name] ?? ""))
    .map(
      (name) =>
        `${name} is passed over, as a name that Kubernetes makes for a Service, though it holds a plain number; a port to listen on is set in PRESTO_LISTEN or PRESTO_ADMIN_LISTEN, one of Presto's in PRESTO_URL.`,
    );
}

/** Names in the environment that this version does not know. Their values are never looked at. */
export function findUnknownVariables(env: NodeJS.ProcessEnv): ConfigProblem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("PRESTO_") && !isVariableName(name) && !serviceName.test(name))
    .map(unknownVariable);
}

/** Names come from the environment as well: some would garble a terminal, or take long to compare. */
const longestName = 80;

function unknownVariable(name: string): ConfigProblem {
  const start = name.slice(0, longestName);
  const nearest = nearestName(start, variableNames, Infinity) ?? "PRESTO_URL";
  return {
    variable: /^[A-Za-z0-9_]+$/.test(name) && name === start ? name : JSON.stringify(start),
    wrong: `there is no such variable; the nearest known one is ${nearest}`,
    example: exampleOf(nearest),
  };
}

/** Each variable's parsed value, or that of its default; undefined where it has neither, or a refused one. */
export type Values = Omit<CleanedEnv<typeof variables>, keyof CleanedEnvAccessors>;

export interface ReadVariables {
  readonly values: Values;
  /** Variables that the environment gives a value. An empty one counts as not given: manifests write `NAME=` for "none". */
  readonly given: ReadonlySet<VariableName>;
  readonly problems: readonly ConfigProblem[];
  /** All that is not ours alone: what Kubernetes tells every Pod, and what a program that we start may need. */
  readonly surroundings: Readonly<Record<string, string | undefined>>;
}

/** Checks each variable by itself. Never throws for what a user wrote. */
export function readVariables(env: NodeJS.ProcessEnv): ReadVariables {
  const given = new Set(variableNames.filter((name) => (env[name] ?? "") !== ""));
  const texts = Object.fromEntries(variableNames.map((name) => [name, textOf(name, env)]));
  const problems: ConfigProblem[] = [];
  const values = customCleanEnv(texts, variables, (cleaned) => cleaned, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        // Whatever else was thrown is a defect, and its text may hold the value (`new URL` does that).
        if (!(error instanceof InvalidValue) || !isVariableName(name)) throw error;
        problems.push(problem(name, wrongWith(name, texts[name] ?? "", error)));
      }
    },
  });
  const surroundings = Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith("PRESTO_")),
  );
  return { values, given, problems, surroundings };
}

/** A line end at the end of a value can't be seen, and every other sentence sends people looking for another mistake. */
function wrongWith(name: VariableName, text: string, error: InvalidValue): string {
  const bare = text.replace(/[\r\n]+$/, "");
  if (bare === text) return error.message;
  const end = `ends with a ${text.includes("\r", bare.length) ? "carriage return (as files of Windows have it)" : "line end"}; take it away`;
  try {
    rowOf(name).parse(bare);
    return end;
  } catch (more) {
    if (!(more instanceof InvalidValue)) throw more;
    return `${more.message}; and it ${end}`;
  }
}

/** A problem of one variable, with the table's example of what would do. */
export function problem(variable: VariableName, wrong: string): ConfigProblem {
  return { variable, wrong, example: exampleOf(variable) };
}

/** `NAME=value`, as a message shows it. */
function exampleOf(name: VariableName): string {
  return `${name}=${rowOf(name).example}`;
}

/** A secret that is given by value, or by a file that the variable `…_FILE` names. */
type SecretName =
  | "OTEL_EXPORTER_OTLP_HEADERS"
  | "PRESTO_EMAIL"
  | "PRESTO_PASSWORD"
  | "PRESTO_STORE_KEY"
  | "PRESTO_TOKEN"
  | "PRESTO_VAULT_SECRET_ID"
  | "VAULT_TOKEN";

/** Where it is; undefined where neither variable is given. */
export function secretSource(values: Values, name: SecretName): SecretSource | undefined {
  const { [name]: secret, [`${name}_FILE` as const]: path } = values;
  if (secret !== undefined) return { kind: "value", secret };
  return path === undefined ? undefined : { kind: "file", path, variable: `${name}_FILE` };
}
