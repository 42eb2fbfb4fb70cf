import { rowOf, textOf, type VariableName, variableNames } from "./variables.ts";

/** One variable as `check` shows it. */
export interface ConfigRow {
  readonly name: VariableName;
  /** As given, or the default; `[secret]` for secrets; null where it has none. */
  readonly value: string | null;
  readonly source: "environment" | "default";
}

/** The configuration as people read it, secrets masked. For an environment that `loadConfig` takes: what was refused may not be shown. */
export function describeConfig(env: NodeJS.ProcessEnv): ConfigRow[] {
  return variableNames.map((name) => {
    const given = (env[name] ?? "") !== "";
    const shown = given && rowOf(name).secret === true ? "[secret]" : textOf(name, env);
    return { name, value: shown ?? null, source: given ? "environment" : "default" };
  });
}

/** The rows as a table for a terminal, one variable a line. */
export function formatConfig(rows: readonly ConfigRow[]): string {
  const cells = rows.map(({ name, value, source }) => [name, value ?? "(none)", source] as const);
  const nameWidth = Math.max(...cells.map(([name]) => name.length));
  const sourceWidth = Math.max(...cells.map(([, , source]) => source.length));
  // A list may have been written over several lines.
  return cells
    .map(
      ([name, value, source]) =>
        `${name.padEnd(nameWidth)}  ${source.padEnd(sourceWidth)}  ${value.replaceAll(/\s+/g, " ")}\n`,
    )
    .join("");
}
