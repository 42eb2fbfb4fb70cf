import { createHash } from "node:crypto";

import type { FullReport } from "./status-report.ts";

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:46rem;padding:0 1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884;overflow-wrap:anywhere}
th{width:14rem;font-weight:600}
.bad{color:#c22}.good{color:#282}`;

/** Nothing may load, run, be sent or frame this page; its one style is allowed by its hash. */
export const statusPagePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The status report as a page for people: read-only, without scripts, everything in it escaped. */
export function statusPage(report: FullReport): string {
  const { ready, latches, versions, ...facts } = report;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>presto-sidecar</title><style>${style}</style></head>
<body>
<h1>presto-sidecar</h1>
<p class="${ready ? "good" : "bad"}">${ready ? "Ready" : "Not ready"}</p>
${table(Object.entries(latches).map(([name, latch]) => [name, latch.closed ? `closed: ${latch.reason ?? ""}` : "ok"]))}
${table(Object.entries(facts).map(([name, value]) => [name.replaceAll("_", " "), show(value)]))}
${table(Object.entries(versions).map(([name, value]) => [name, value]))}
<p>For machines: <a href="status">/status</a>, <a href="metrics">/metrics</a>, <a href="readyz?verbose">/readyz?verbose</a></p>
</body>
</html>
`;
}

function table(rows: readonly (readonly [name: string, value: string])[]): string {
  const lines = rows.map(
    ([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`,
  );
  return `<table>\n${lines.join("\n")}\n</table>`;
}

function show(value: string | number | null): string {
  if (value === null) return "not known";
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(1) : String(value);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
