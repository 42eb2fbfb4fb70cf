import { dashboardRows as rows, type Panel, type Query } from "./dashboard-rows.ts";
import { metricTables } from "./metric-tables.ts";

// The Grafana dashboard of the chart, made from its rows; what a panel says of itself comes from the
// tables of metrics.

export const dashboardFile = "helm/presto-sidecar/dashboards/presto-sidecar.json";

const columns = 24;
const source = { type: "prometheus", uid: "${datasource}" };

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** Every query of it, as it stands. */
export function dashboardQueries(): readonly string[] {
  return rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(([expr]) => expr)));
}

const watches = new Map(
  Object.values(metricTables).flatMap((table) =>
    Object.entries(table).map(([metric, { watch }]) => [metric, watch]),
  ),
);

/** When to look at it, by the table of metrics. */
function describe(queries: readonly Query[]): string {
  const metrics = new Set(
    queries.flatMap(([expr]) =>
      [...expr.matchAll(/\b(?:presto_sidecar|process)_\w+/g)].map(([found]) => found.replace(/_bucket$/, "")),
    ),
  );
  return [...metrics].map((metric) => `\`${metric}\`: ${watches.get(metric) ?? ""}`).join("\n\n");
}

function thresholds({ redFrom, redBelow }: Panel): object {
  const [first, second, at] = redBelow === undefined ? ["green", "red", redFrom] : ["red", "green", redBelow];
  return {
    mode: "absolute",
    steps: [
      { color: first, value: null },
      { color: second, value: at },
    ],
  };
}

function panelOf(panel: Panel, id: number, gridPos: Place): object {
  const { title, unit, queries, redFrom, redBelow } = panel;
  const isNumber = redFrom !== undefined || redBelow !== undefined;
  return {
    id,
    type: isNumber ? "stat" : "timeseries",
    title,
    description: describe(queries),
    datasource: source,
    gridPos,
    fieldConfig: {
      defaults: isNumber
        ? { unit, thresholds: thresholds(panel), color: { mode: "thresholds" } }
        : { unit, custom: { lineWidth: 1, fillOpacity: 10, showPoints: "never" } },
      overrides: [],
    },
    options: isNumber
      ? { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "none" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource: source,
      expr,
      legendFormat,
      ...(isNumber ? { instant: true } : {}),
    })),
  };
}

/** Rows one below the other, panels from left to right. */
function layOut(): object[] {
  const made: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    made.push({
      id: made.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: columns, h: 1 },
      panels: [],
    });
    y += 1;
    const isNumbers = panels.every(
      ({ redFrom, redBelow }) => redFrom !== undefined || redBelow !== undefined,
    );
    const perLine = isNumbers ? panels.length : 2;
    const h = isNumbers ? 4 : 8;
    const w = columns / perLine;
    for (const [index, panel] of panels.entries()) {
      const line = Math.floor(index / perLine);
      made.push(panelOf(panel, made.length + 1, { x: (index % perLine) * w, y: y + line * h, w, h }));
    }
    y += Math.ceil(panels.length / perLine) * h;
  }
  return made;
}

/** A choice at the top, of all values that the label has. */
function choice(label: string, query: string): object {
  return {
    name: label,
    type: "query",
    datasource: source,
    query: { query, refId: label },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // On a host the label is absent, which the empty text stands for.
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
}

export function makeDashboard(): string {
  const dashboard = {
    uid: "presto-sidecar",
    title: "presto-sidecar",
    description: "Made by `npm run docs` from tools/dashboard-rows.ts. Its alerts: docs/alerts.md.",
    tags: ["presto-sidecar"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
        choice("namespace", "label_values(presto_sidecar_build_info, namespace)"),
        choice("pod", 'label_values(presto_sidecar_build_info{namespace=~"$namespace"}, pod)'),
      ],
    },
    panels: layOut(),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}
