import { formatDuration } from "./parse.ts";
import type { Config } from "./sections.ts";
import { variableFacts, type VariableName, variableNames } from "./variables.ts";

/** One variable as `check` shows it. */
export interface ConfigRow {
  readonly name: VariableName;
  /** As given, or the default; `[secret]` for secrets; null where it has none. */
  readonly value: string | null;
  readonly source: "environment" | "default";
}

/**
 * The configuration as people read it, secrets masked.
 * @param config what `loadConfig` made of `env`: only what was found sound is shown
 */
export function describeConfig(config: Config, env: NodeJS.ProcessEnv): ConfigRow[] {
  return variableNames.map((name) => {
    const text = env[name];
    const { secret, fallback } = variableFacts(name);
    if (text === undefined || text === "") {
      const computed = name === "PRESTO_HOLD_MAX" ? formatDuration(config.holdMaxMs) : null;
      return { name, value: fallback ?? computed, source: "default" };
    }
    return { name, value: secret === true ? "[secret]" : text, source: "environment" };
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
