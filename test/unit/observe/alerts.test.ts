import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";

import { commands } from "../../../src/cli/commands.ts";
import type { MetricRows } from "../../../src/observe/metric-rows.ts";
import { allAlerts, ruleFiles } from "../../../tools/alerts.ts";
import { dashboardQueries } from "../../../tools/dashboard.ts";
import { metricTables } from "../../../tools/metric-tables.ts";
import { alertScenarios, type AlertScenario } from "../../support/alert-scenarios.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const documented: MetricRows = Object.fromEntries(
  Object.values(metricTables).flatMap((rows) => Object.entries(rows)),
);
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

/** Names and matchers of every metric in a query. */
function metricsIn(query: string): { readonly name: string; readonly matchers: string }[] {
  return [...query.matchAll(/\b((?:presto_sidecar|process)_\w+|up)(?:\{([^}]*)\})?/g)].map(
    ([, name = "", matchers = ""]) => ({ name, matchers }),
  );
}

/** The row of the metric that a series belongs to. */
function rowOf(series: string): MetricRows[string] | undefined {
  return documented[series] ?? documented[series.replace(/_(bucket|sum|count)$/, "")];
}

function promtool(argv: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync("promtool", argv, { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

/** Writes a file for promtool. @returns its path */
function fileFor(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "alerts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file.yaml");
  writeFileSync(path, stringify(content));
  return path;
}

describe("the alerts", () => {
  const alerts = allAlerts();

  it("ask for metrics and labels that the program has, each under its job", () => {
    expect(alerts.length).toBeGreaterThan(30);
    for (const { alert, expr } of alerts) {
      for (const { name, matchers } of metricsIn(expr)) {
        expect([alert, name, matchers.startsWith('job="presto-sidecar"')]).toEqual([alert, name, true]);
        if (name === "up") continue;
        const row = rowOf(name);
        expect([alert, name, row !== undefined]).toEqual([alert, name, true]);
        const labels = [...matchers.matchAll(/(\w+)[=!]~?"/g)].map(([, label]) => label);
        expect([
          alert,
          labels.filter((label) => label !== "job" && !row?.labels?.includes(label ?? "")),
        ]).toEqual([alert, []]);
      }
    }
  });

  it("count what a process has done before its first scrape, too", () => {
    for (const { alert, expr } of alerts) {
      const increases = expr.match(/increase\(/g)?.length ?? 0;
      const starts =
        expr.match(/time\(\) - process_start_time_seconds\{job="presto-sidecar"\} </g)?.length ?? 0;
      expect([alert, increases]).toEqual([alert, starts]);
    }
  });

  it("say what to do: a sentence with a command that there is, and a page", () => {
    const known = commands.map(({ name }) => name);
    for (const { alert, labels, annotations } of alerts) {
      const { summary, description, command, runbook_url: page } = annotations;
      expect([alert, labels.severity]).toEqual([alert, expect.stringMatching(/^(critical|warning)$/)]);
      expect([alert, summary, description]).toEqual([
        alert,
        expect.stringMatching(/\.$/),
        expect.stringMatching(/\.$/),
      ]);
      expect([alert, page, existsSync(join(root, page))]).toEqual([alert, page, true]);
      const named = [
        ...[...description.matchAll(/`presto-sidecar ([a-z]+(?: [a-z]+)?)/g)].map(([, words]) => words ?? ""),
        ...(command === undefined
          ? []
          : [command.replace(/^.*\{\{ end \}\} /, "").replace(/ (--|FILE).*$/, "")]),
      ];
      expect([alert, named.length > 0 || description.includes("kubectl ")]).toEqual([alert, true]);
      for (const words of named)
        expect([alert, words, known.some((name) => words === name || words.startsWith(`${name} `))]).toEqual([
          alert,
          words,
          true,
        ]);
    }
  });

  it("have a scenario each in which they fire, and nothing else does", () => {
    const fired = new Set(alertScenarios.flatMap(({ fires }) => fires));
    expect([...fired].toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  it.skipIf(!hasPromtool)("are rules that Prometheus takes", () => {
    expect(promtool(["check", "rules", ...ruleFiles()])).toEqual({
      status: 0,
      said: expect.stringContaining("SUCCESS"),
    });
  });

  it.skipIf(!hasPromtool)(
    "fire where they should, and nowhere else",
    () => {
      const { status, said } = promtool(["test", "rules", fileFor(unitTests())]);
      expect([status, status === 0 ? "" : said]).toEqual([0, ""]);
    },
    60_000,
  );

  it.skipIf(!hasPromtool)("name pod, container and command to whoever reads one", () => {
    const labels = { job: "presto-sidecar", namespace: "pay", pod: "wallet-1", container: "presto-sidecar" };
    const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const file = fileFor({
      rule_files: ruleFiles(),
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: [
            {
              series: `presto_sidecar_oldest_open_outcome_timestamp_seconds{${text.join()}}`,
              values: "0+0x80",
            },
          ],
          alert_rule_test: [
            {
              eval_time: "70m",
              alertname: "PrestoOutcomeOld",
              exp_alerts: [
                {
                  exp_labels: { ...labels, severity: "critical" },
                  exp_annotations: {
                    summary: "For 1h 10m 0s it has not been known what became of a call that moves money.",
                    description: alerts.find(({ alert }) => alert === "PrestoOutcomeOld")?.annotations
                      .description,
                    command:
                      "kubectl exec --namespace pay wallet-1 --container presto-sidecar -- node /app/dist/main.js outcomes",
                    runbook_url: "docs/money.md",
                  },
                },
              ],
            },
          ],
        },
      ],
    });
    const { status, said } = promtool(["test", "rules", file]);
    expect([status, status === 0 ? "" : said]).toEqual([0, ""]);
  });
});

/**
 * What Prometheus' own tool is told. Those who are looked at in the same minute stand side by side, each as an instance
 * that is called by its title; what asks for targets that are not there is played alone.
 */
function unitTests(): unknown {
  const played = new Map<string, AlertScenario[]>();
  for (const scenario of alertScenarios) {
    const stage = scenario.alone ? scenario.title : scenario.at;
    played.set(stage, [...(played.get(stage) ?? []), scenario]);
  }
  return {
    rule_files: ruleFiles(),
    evaluation_interval: "1m",
    tests: [...played.values()].map((together) => ({
      interval: "1m",
      input_series: together.flatMap(({ title, series }) =>
        Object.entries(series).map(([selector, values]) => {
          const [, name = "", labels = ""] = /^(\w+)(?:\{(.*)\})?$/.exec(selector) ?? [];
          const target = `job="presto-sidecar", instance=${JSON.stringify(title)}`;
          return { series: `${name}{${labels === "" ? target : `${target}, ${labels}`}}`, values };
        }),
      ),
      promql_expr_test: [
        {
          expr: 'group by (instance, alertname) (ALERTS{alertstate="firing"})',
          eval_time: together[0]?.at,
          exp_samples: together.flatMap(({ title, alone, fires }) =>
            fires.map((alertname) => {
              // What is absent has no instance.
              const instance = alone && absences.has(alertname) ? "" : `, instance=${JSON.stringify(title)}`;
              return { labels: `{alertname="${alertname}"${instance}}`, value: 1 };
            }),
          ),
        },
      ],
    })),
  };
}

const absences = new Set(["PrestoSidecarAbsent", "PrestoNoRotator"]);

describe("the dashboard", () => {
  const file = join(root, "helm/presto-sidecar/dashboards/presto-sidecar.json");

  it("asks for metrics and labels that the program has", () => {
    const target = new Set(["namespace", "pod", "job", "instance"]);
    for (const query of dashboardQueries()) {
      const metrics = metricsIn(query);
      expect([query, metrics.length > 0]).toEqual([query, true]);
      for (const { name, matchers } of metrics) {
        const row = rowOf(name);
        expect([query, name, row !== undefined]).toEqual([query, name, true]);
        for (const [, label = ""] of matchers.matchAll(/(\w+)[=!]~?"/g))
          expect([query, label, target.has(label) || row?.labels?.includes(label)]).toEqual([
            query,
            label,
            true,
          ]);
      }
    }
    const written = JSON.parse(readFileSync(file, "utf8"));
    const inFile = JSON.stringify(written).match(/"expr":/g)?.length;
    expect(inFile).toBe(dashboardQueries().length);
  });

  it.skipIf(!hasPromtool)("asks in words that Prometheus parses", () => {
    const rules = dashboardQueries().map((query, index) => ({
      record: `query:${index}`,
      expr: query.replaceAll("$__rate_interval", "5m").replaceAll(/\$(namespace|pod)/g, ".*"),
    }));
    const { status, said } = promtool([
      "check",
      "rules",
      fileFor({ groups: [{ name: "dashboard", rules }] }),
    ]);
    expect([status, status === 0 ? "" : said]).toEqual([0, ""]);
  });
});
