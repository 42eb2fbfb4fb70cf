import { Failure } from "../errors.ts";

/** One thing that is wrong with the configuration. Holds no secret. */
export interface ConfigProblem {
  /** Variable, or what else it is about (`node --inspect`). */
  readonly variable: string;
  /** Goes on from the name: `"10sec" is not a duration (…)`. */
  readonly wrong: string;
  /** What would be right. */
  readonly example: string;
}

/** All problems in one failure (exit 78), one a line. */
export function configurationFailure(problems: readonly ConfigProblem[]): Failure {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.map(
    ({ variable, wrong, example }) => `  ${variable}: ${wrong}. Example: ${example}`,
  );
  return new Failure("configuration", [`The configuration has ${count}:`, ...lines].join("\n"));
}
