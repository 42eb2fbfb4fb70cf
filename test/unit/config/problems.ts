import { examineConfig } from "../../../src/config/load.ts";

/** What is wrong with an environment, a line for each problem. */
export function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  return examineConfig(env, []).problems.map(({ variable, wrong }) => `${variable}: ${wrong}`);
}
