import { customCleanEnv, type CleanedEnv, type CleanedEnvAccessors } from "envalid";

import { RefusedValue } from "./refused-value.ts";
import type { ConfigProblem } from "./report.ts";
import { isVariableName, variableFacts, variableNames, variables, type VariableName } from "./variables.ts";

/** Each variable's parsed value; undefined where it has none, or a refused one. */
export type Values = Omit<CleanedEnv<typeof variables>, keyof CleanedEnvAccessors>;

export interface CleanVariables {
  readonly values: Values;
  /** Variables that the environment gives a value. An empty one counts as not given: manifests write `NAME=` for "none". */
  readonly given: ReadonlySet<VariableName>;
  readonly problems: readonly ConfigProblem[];
}

/** Checks each variable by itself. Never throws for what a user wrote. */
export function cleanVariables(env: NodeJS.ProcessEnv): CleanVariables {
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
        if (!(error instanceof RefusedValue) || !isVariableName(name)) throw error;
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
