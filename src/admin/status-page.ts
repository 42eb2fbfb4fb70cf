import { createHash } from "node:crypto";

import type { EgressStatus, FullReport, RenewalStatus, StoreState } from "./status.ts";

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:46rem;padding:0 1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884;overflow-wrap:anywhere}
th{width:14rem;font-weight:600}
.bad{color:#c22}.good{color:#282}`;

/** Nothing may load, run, be sent or frame this page; its one style is allowed by its hash. */
export const statusPagePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The status report as a page for people: read-only, without scripts, everything in it escaped. */
export function statusPage(report: FullReport): string {
  const { ready, latches, renewal, egress, versions, store_state: store, ...facts } = report;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>presto-sidecar</title><style>${style}</style></head>
<body>
<h1>presto-sidecar</h1>
<p class="${ready ? "good" : "bad"}">${ready ? "Ready" : "Not ready"}</p>
${table(Object.entries(latches).map(([name, latch]) => [name, latchText(latch)]))}
${table(Object.entries(facts).map(([name, value]) => [name.replaceAll("_", " "), show(value)]))}
${store === null ? "" : `<h2>Store</h2>\n${table(storeRows(store))}\n`}${renewal === null ? "" : `<h2>Renewal</h2>\n${table(renewalRows(renewal))}\n`}${egress === null ? "" : `<h2>Way out</h2>\n${table(egressRows(egress))}\n`}${table(Object.entries(versions).map(([name, value]) => [name, value]))}
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

function latchText({ closed, reason, advisory }: FullReport["latches"][string]): string {
  if (!closed) return "ok";
  return `${advisory ? "warning" : "closed"}: ${reason ?? ""}`;
}

function storeRows({ watch, last_read_at: readAt, failure }: StoreState): (readonly [string, string])[] {
  return [
    ["watch", watch ?? "none: it is read now and then, or tells of a change by itself"],
    ["last read at", show(readAt)],
    ["failure", failure ?? "none"],
  ];
}

function renewalRows(renewal: RenewalStatus): (readonly [name: string, value: string])[] {
  const { last_end: lastEnd, alarm } = renewal;
  return [
    ["state", renewal.state],
    ["automatic", renewal.automatic ? "yes" : "no: issues only when told"],
    ["lock", renewal.lock.name],
    ["lock held by", renewal.lock.holder ?? "nobody, as far as is known here"],
    ["due at", show(renewal.due_at)],
    ["next try at", renewal.next_try_at ?? "nothing is put off"],
    ["last end", lastEnd === null ? "none yet" : joined(lastEnd.at, lastEnd.kind, lastEnd.detail)],
    ["alarm", alarm === null ? "none" : joined(alarm.at, alarm.reason)],
    ["unexplained deaths in 24 h", show(renewal.unexplained_deaths_24h)],
    ["credentials refused", renewal.credentials_refused ?? "no"],
  ];
}

function egressRows(egress: EgressStatus): (readonly [string, string])[] {
  const { addresses, registered, closed } = egress;
  return [
    ["leaves from", addresses.length === 0 ? "not known" : addresses.join(", ")],
    ["registered", registered === null ? "not known" : registered ? "yes" : "no"],
    ["kept back", closed ?? "no"],
    ["verdict", egress.verdict],
    ["evidence", egress.evidence.join(" ")],
    ["checked at", show(egress.checked_at)],
    ...egress.check_urls.map(
      ({ host, ok, address, error }) =>
        [host, ok === null ? "not asked yet" : (address ?? `failed: ${error ?? ""}`)] as const,
    ),
  ];
}

function joined(...parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null).join(": ");
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
