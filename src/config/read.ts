import { type CleanedEnv, type CleanedEnvAccessors, customCleanEnv } from "envalid";

import { type ConfigProblem, InvalidValue } from "./parse.ts";
import { isVariableName, variableFacts, type VariableName, variableNames, variables } from "./variables.ts";

/**
 * Names that Kubernetes puts into every container for a Service called `presto` or
 * `presto-…` (kubernetes/kubernetes pkg/kubelet/envvars): nobody's spelling mistake.
 */
const serviceName =
  /^PRESTO_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Names in the environment that this version does not know. Their values are never looked at. */
export function findUnknownNames(env: NodeJS.ProcessEnv): ConfigProblem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("PRESTO_") && !isVariableName(name) && !serviceName.test(name))
    .map(unknownName);
}

/** Names come from the environment as well: some would garble a terminal, or take long to compare. */
const longestName = 80;

function unknownName(name: string): ConfigProblem {
  const start = name.slice(0, longestName);
  const nearest = nearestName(start);
  return {
    variable: /^[A-Za-z0-9_]+$/.test(name) && name === start ? name : JSON.stringify(start),
    wrong: `there is no such variable; the nearest known one is ${nearest}`,
    example: exampleOf(nearest),
  };
}

function nearestName(name: string): VariableName {
  return variableNames.reduce((best, known) => (distance(name, known) < distance(name, best) ? known : best));
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const changed = (row[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** Each variable's parsed value; undefined where it has none, or a refused one. */
export type Values = Omit<CleanedEnv<typeof variables>, keyof CleanedEnvAccessors>;

export interface ReadVariables {
  readonly values: Values;
  /** Variables that the environment gives a value. An empty one counts as not given: manifests write `NAME=` for "none". */
  readonly given: ReadonlySet<VariableName>;
  readonly problems: readonly ConfigProblem[];
}

/** Checks each variable by itself. Never throws for what a user wrote. */
export function readVariables(env: NodeJS.ProcessEnv): ReadVariables {
  const texts: Partial<Record<VariableName, string>> = {};
  const given = new Set<VariableName>();
  for (const name of variableNames) {
    const text = env[name];
    const fallback = variableFacts(name).fallback;
    if (text !== undefined && text !== "") {
      texts[name] = text;
      given.add(name);
    } else if (fallback !== undefined) {
      texts[name] = fallback;
    }
  }
  const problems: ConfigProblem[] = [];
  const values = customCleanEnv(texts, variables, (cleaned) => cleaned, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        // Whatever else was thrown is a defect, and its text may hold the value (`new URL` does that).
        if (!(error instanceof InvalidValue) || !isVariableName(name)) throw error;
        problems.push(problem(name, error.message));
      }
    },
  });
  return { values, given, problems };
}

/** A problem of one variable, with the table's example of what would do. */
export function problem(variable: VariableName, wrong: string): ConfigProblem {
  return { variable, wrong, example: exampleOf(variable) };
}

/** `NAME=value`, as a message shows it. */
export function exampleOf(name: VariableName): string {
  return `${name}=${variableFacts(name).example}`;
}
