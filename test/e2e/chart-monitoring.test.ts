import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";

import { type AlertRule, allAlerts } from "../../tools/alerts.ts";
import {
  chartFolder,
  hasKubeTools,
  type KubeObject,
  refusalOf,
  renderChart,
} from "../support/render-chart.ts";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

const url = "https://presto.example";
const on = {
  podMonitor: { enabled: true },
  rules: { enabled: true, rotators: true },
  dashboard: { enabled: true },
};

function kindOf(objects: readonly KubeObject[], kind: string): KubeObject {
  return objects.find((object) => object.kind === kind);
}

function byName(alerts: readonly AlertRule[]): readonly AlertRule[] {
  return alerts.toSorted((one, other) => one.alert.localeCompare(other.alert));
}

function alertsOf(rule: KubeObject): AlertRule[] {
  return rule.spec.groups.flatMap(({ rules }: KubeObject) => rules);
}

describe.skipIf(!hasKubeTools)("the chart's monitoring", () => {
  const kinds = ["PodMonitor", "PrometheusRule", "ConfigMap"];

  it("is left out with the rest", () => {
    expect(renderChart({ enabled: false, monitoring: on })).toEqual([]);
  });

  it("is left out unless a value asks for it, part by part", () => {
    const kindsWith = (monitoring: object): string[] =>
      renderChart({ url, monitoring })
        .map(({ kind }) => kind)
        .filter((kind) => kinds.includes(kind));
    expect(kindsWith({})).toEqual([]);
    expect(kindsWith({ podMonitor: on.podMonitor })).toEqual(["PodMonitor"]);
    expect(kindsWith({ rules: on.rules })).toEqual(["PrometheusRule"]);
    expect(kindsWith({ dashboard: on.dashboard })).toEqual(["ConfigMap"]);
  });

  it("scrapes every pod that has the sidecar's port, under the job of the rules", () => {
    const objects = renderChart({ url, monitoring: on });
    const { spec } = kindOf(objects, "PodMonitor");
    expect(spec).toEqual({
      namespaceSelector: { matchNames: ["default"] },
      selector: {},
      podMetricsEndpoints: [
        {
          port: "presto-admin",
          path: "/metrics",
          interval: "30s",
          relabelings: [{ targetLabel: "job", replacement: "presto-sidecar" }],
        },
      ],
    });
    const ports = kindOf(objects, "Deployment").spec.template.spec.initContainers[0].ports;
    expect(ports).toContainEqual({ name: "presto-admin", containerPort: 7381 });
  });

  it("has the very alerts of rules/, each of them asked of its namespaces", () => {
    const source = allAlerts();
    const rendered = alertsOf(kindOf(renderChart({ url, monitoring: on }), "PrometheusRule"));
    const matcher = 'job="presto-sidecar"';
    expect(byName(rendered)).toEqual(
      byName(source).map((rule) => ({
        ...rule,
        expr: rule.expr.replaceAll(matcher, `${matcher}, namespace=~"default"`),
      })),
    );
  });

  it("leaves rotators' alerts out where none are scraped, and those that are named", () => {
    const names = (rules: object): string[] =>
      alertsOf(
        kindOf(renderChart({ url, monitoring: { rules: { enabled: true, ...rules } } }), "PrometheusRule"),
      )
        .map(({ alert }) => alert)
        .toSorted();
    const all = allAlerts()
      .map(({ alert }) => alert)
      .toSorted();
    expect(names({})).toEqual(all.filter((name) => name !== "PrestoNoRotator"));
    const withRotators = { url, store: { kind: "kubernetes" }, rotator: { enabled: true } };
    expect(
      alertsOf(
        kindOf(renderChart({ ...withRotators, monitoring: { rules: { enabled: true } } }), "PrometheusRule"),
      ),
    ).toHaveLength(all.length);
    expect(names({ rotators: true, disabled: ["PrestoCircuitOpen", "PrestoTokenEnds"] })).toEqual(
      all.filter((name) => name !== "PrestoCircuitOpen" && name !== "PrestoTokenEnds"),
    );
  });

  it("takes labels for whoever looks for them, and namespaces", () => {
    const objects = renderChart("full-values.yaml");
    for (const kind of ["PodMonitor", "PrometheusRule"])
      expect(kindOf(objects, kind).metadata.labels).toMatchObject({
        "app.kubernetes.io/instance": "example",
        release: "kube-prometheus-stack",
      });
    const { spec } = kindOf(objects, "PodMonitor");
    expect(spec.namespaceSelector).toEqual({ matchNames: ["payments", "ledger"] });
    expect(spec.selector).toEqual({ matchLabels: { team: "payments" } });
    for (const { labels, expr } of alertsOf(kindOf(objects, "PrometheusRule"))) {
      expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/), team: "payments" });
      expect(expr).toContain('job="presto-sidecar", namespace=~"payments|ledger"');
    }
    const { metadata } = kindOf(objects, "ConfigMap");
    expect(metadata.labels).toMatchObject({ grafana_dashboard: "yes" });
    expect(metadata.annotations).toEqual({ grafana_folder: "Payments" });
  });

  it("brings the dashboard as it is", () => {
    const { data, metadata } = kindOf(renderChart({ url, monitoring: on }), "ConfigMap");
    const file = readFileSync(join(chartFolder, "dashboards/presto-sidecar.json"), "utf8");
    expect(data["presto-sidecar.json"]).toBe(file.trim());
    expect(metadata.labels).toMatchObject({ grafana_dashboard: "1" });
  });

  it.skipIf(!hasPromtool)("renders rules that Prometheus takes", () => {
    const folder = mkdtempSync(join(tmpdir(), "chart-rules-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "rules.yaml");
    writeFileSync(file, stringify(kindOf(renderChart("full-values.yaml"), "PrometheusRule").spec));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8" });
    expect([status, status === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  });

  it.each<[object, RegExp]>([
    [{ podMonitor: { enabled: "yes" } }, /enabled/],
    [{ podMonitor: { interval: "30" } }, /interval/],
    [{ podMonitor: { labels: { release: true } } }, /release/],
    [{ namespaces: ["Payments"] }, /namespaces/],
    [{ namespaces: ["a|b"] }, /namespaces/],
    [{ rules: { disabled: ["all"] } }, /disabled/],
    [{ rules: { alertLabels: { severity: "page" } } }, /alertLabels|severity/],
    [{ dashbord: { enabled: true } }, /dashbord/],
  ])("refuses %j and names it", (monitoring, named) => {
    expect(refusalOf({ url, monitoring })).toMatch(named);
  });
});
