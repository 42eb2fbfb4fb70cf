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
