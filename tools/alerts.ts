import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { parse } from "yaml";

import { latchRows } from "../src/observe/lights.ts";

// The alerts stand in one place, the rules that Prometheus reads: docs/alerts.md is made from them, and tests ask them.

/** An alert, as its file has it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    /** What to do, with the command that helps. */
    readonly description: string;
    /** That command, where one process is meant. */
    readonly command?: string;
    /** The page, as a path of this repository. */
    readonly runbook_url: string;
  };
}

/** What stands in one file of rules. */
export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

/** Paths of the files, which the chart has. */
export function ruleFiles(): readonly string[] {
  return globSync("helm/presto-sidecar/rules/*.yaml", { cwd: root })
    .toSorted()
    .map((name) => `${root}${name}`);
}

function readRules(path: string): RuleFile {
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- promtool and test/unit/observe/alerts.test.ts judge its form
  const rules: RuleFile = parse(readFileSync(path, "utf8"));
  return rules;
}

export function allAlerts(): readonly AlertRule[] {
  return ruleFiles().flatMap((path) => readRules(path).groups.flatMap(({ rules }) => rules));
}

/** What a table is made of. */
type Rows = readonly [head: readonly string[], rows: readonly (readonly string[])[]];

export function alertRows(): Rows {
  return [
    ["alert", "severity", "says", "what to do", "more"],
    allAlerts().map(({ alert, labels, annotations, ...rule }) => {
      const page = annotations.runbook_url.replace(/^docs\//, "");
      const after = rule.for === undefined ? "" : `, after ${rule.for}`;
      return [
        `\`${alert}\``,
        `${labels.severity}${after}`,
        withoutTemplates(annotations.summary),
        annotations.description,
        page === "alerts.md" ? "" : `[${page}](${page})`,
      ];
    }),
  ];
}

/** Labels by their names, and figures as a mark. */
function withoutTemplates(text: string): string {
  return text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, "`$1`").replaceAll(/\{\{ \$value[^}]*\}\}/g, "…");
}

const effects = {
  closes: "503",
  advisory: "200; `[!]` in `?verbose`",
  "by-role": "503 in role `rotator`; in `all` and `proxy` 200, and `[!]` in `?verbose`",
} as const;

export function latchTable(): Rows {
  return [
    ["latch", "closed while", "`/readyz`", "what to do"],
    Object.entries(latchRows).map(([name, { effect, closedWhile, mend }]) => [
      `\`${name}\``,
      closedWhile,
      effects[effect],
      mend,
    ]),
  ];
}
