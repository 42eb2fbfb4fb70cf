import { createHash } from "node:crypto";

import { dateText, relativeText, spanText } from "../lib/duration.ts";
import { mendOf } from "../observe/lights.ts";
import type { RecentReport } from "../observe/recent.ts";
import { escape } from "./html.ts";
import { callsPlot, latencyPlot, timeline } from "./plots.ts";
import type { EgressStatus, FullReport, RenewalStatus, StoreState } from "./status.ts";

const style = `:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#8884;--good:#1a7f37;--bad:#c62828;--odd:#9a6700;--answered:#2f6fde;--not-sent:#bf8700;--unknown:#c62828}
@media (prefers-color-scheme:dark){:root{--bg:#11151a;--fg:#e6e9ec;--dim:#9aa5b1;--good:#4ac26b;--bad:#ff7b72;--odd:#e3b341;--answered:#6ea8fe;--not-sent:#e3b341;--unknown:#ff7b72}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;background:var(--bg);color:var(--fg)}
h1{font-size:1.1rem;margin:0}h2{font-size:1.1rem;margin:1.8rem 0 .4rem}h3{font-size:.95rem;margin:.8rem 0 .2rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem 1rem;border-bottom:1px solid var(--line);padding-bottom:.5rem}
#state{font-size:1.6rem;font-weight:700;margin:0}header label{margin-left:auto}
.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.odd{color:var(--odd)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.6rem,1fr));gap:.6rem;margin:1rem 0}
.tiles div{border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem}
.tiles dt{color:var(--dim);font-size:.85rem}.tiles dd{margin:0;font-size:1.15rem;font-weight:600;overflow-wrap:anywhere}.tiles small{display:block;font-weight:400;color:var(--dim)}
.lights{list-style:none;padding:0}.lights li{border-left:.3rem solid var(--odd);padding:.2rem .7rem;margin:.4rem 0}.lights li.closed{border-color:var(--bad)}
figure{margin:0 0 1rem}figcaption{font-size:.85rem;color:var(--dim)}
svg{display:block;width:100%;height:auto}svg text{font-size:12px;fill:var(--fg)}svg .axis{fill:var(--dim)}.end{text-anchor:end}
.grid{stroke:var(--line);fill:none}.p50,.p99{fill:none;stroke-width:3}.p50{stroke:var(--answered)}.p99{stroke:var(--not-sent)}
.answered{fill:var(--answered)}.not-sent{fill:var(--not-sent)}.unknown{fill:var(--unknown)}
.generation0{fill:var(--answered);fill-opacity:.35}.generation1{fill:var(--answered);fill-opacity:.7}.renewed{fill:var(--good)}.failed{fill:var(--bad)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.15em;margin-left:.6em}
.key.answered,.key.p50,.key.generation0{background:var(--answered)}.key.not-sent,.key.p99{background:var(--not-sent)}.key.unknown,.key.failed{background:var(--bad)}.key.renewed{background:var(--good)}
.moments{padding-left:0;list-style:none}.moments time{color:var(--dim);margin-right:.6em;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;margin:0 0 1rem}th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{width:14rem;font-weight:600}
@media (max-width:40rem){svg text{font-size:18px}th{width:8rem}}`;

/** Asks for this very page again, and puts what is new in the place of what is old; paused, or out of sight, it does not. */
const script = `let told=Date.now();
async function look(){
if(document.hidden||document.getElementById("pause").checked)return;
const age=document.getElementById("age");
try{
const reply=await fetch(location.pathname,{cache:"no-store"});
if(!reply.ok)throw new Error();
const next=new DOMParser().parseFromString(await reply.text(),"text/html");
const was=document.getElementById("state"),is=next.getElementById("state");
if(was.textContent!==is.textContent){was.textContent=is.textContent;was.className=is.className}
for(const id of["live","all"]){
const old=document.getElementById(id),fresh=next.getElementById(id);
if(old.innerHTML!==fresh.innerHTML)old.replaceChildren(...document.importNode(fresh,true).childNodes)}
document.title=next.title;told=Date.now();age.textContent=""
}catch{age.textContent="The sidecar has not answered for "+Math.round((Date.now()-told)/1000)+" s. What is shown is from then."}}
setInterval(look,5000);document.addEventListener("visibilitychange",look)`;

/** Nothing but the page's own style and script, by their hashes, and its own address, by that script. */
export const statusPagePolicy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/**
 * The status report as a page for people: for a wall, a phone and a screen reader. Read-only; all that
 * is not written here is escaped. It looks for news every 5 s by a script of its own, and where scripts
 * are off every 30 s.
 * @param now wall clock, milliseconds since 1970
 */
export function statusPage(report: FullReport, recent: RecentReport, now: number): string {
  const { ready, latches, renewal, egress, versions, store_state: store, ...facts } = report;
  const state = ready ? "Ready" : "Not ready";
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${state}: presto-sidecar</title><style>${style}</style><noscript><meta http-equiv="refresh" content="30"></noscript></head>
<body>
<header><h1>presto-sidecar</h1><p id="state" role="status" class="${ready ? "good" : "bad"}">${state}</p><label><input type="checkbox" id="pause"> Pause</label></header>
<p id="age" role="alert" class="bad"></p>
<main>
<div id="live">
<p class="dim">${escape(headline(report, now))}</p>
${lightList(latches)}${tiles(report, now)}
<h2>The last hour</h2>
${callsPlot(recent)}
${latencyPlot(recent)}
<h2>Token and renewals</h2>
${timeline(recent, now)}
</div>
<details><summary>All that is known</summary>
<div id="all">
${table(Object.entries(facts).map(([name, value]) => [name.replaceAll("_", " "), show(value)]))}
${table(Object.entries(latches).map(([name, { closed, reason }]) => [name, closed ? (reason ?? "closed") : "ok"]))}
${store === null ? "" : `<h2>Store</h2>\n${table(storeRows(store))}\n`}${renewal === null ? "" : `<h2>Renewal</h2>\n${table(renewalRows(renewal))}\n`}${egress === null ? "" : `<h2>Way out</h2>\n${table(egressRows(egress))}\n`}${table(Object.entries(versions).map(([name, value]) => [name, value]))}
</div>
</details>
</main>
<p>For machines: <a href="status">/status</a>, <a href="metrics">/metrics</a>, <a href="readyz?verbose">/readyz?verbose</a></p>
<script>${script}</script>
</body>
</html>
`;
}

function headline({ role, upstream, started_at: started }: FullReport, now: number): string {
  return `Role ${role}, calls to ${upstream}, up for ${spanText(now - Date.parse(started))}.`;
}

/** What keeps it from being ready, and what somebody should look at, each with its mend. */
function lightList(latches: FullReport["latches"]): string {
  const closed = Object.entries(latches).filter(([, latch]) => latch.closed);
  if (closed.length === 0) return "";
  const items = closed.map(
    ([name, { reason, advisory }]) =>
      `<li${advisory ? "" : ' class="closed"'}><strong>${advisory ? "Look at" : "Not ready"}: ${escape(name)}.</strong> ${escape(reason ?? "")} <em>${escape(mendOf(name))}</em></li>`,
  );
  return `<h2>To be looked at</h2>\n<ul class="lights">\n${items.join("\n")}\n</ul>\n`;
}

/** What people look for first. */
function tiles(report: FullReport, now: number): string {
  const { renewal, open_outcomes: open, oldest_open_outcome_seconds: oldest } = report;
  const due = renewal?.due_at ?? null;
  const rows: (readonly [name: string, value: string, more: string])[] = [
    [
      "Token ends",
      ...endText(report.expires_at, now, report.token_state === "none" ? "none" : "no known end"),
    ],
    ["Generation", show(report.generation), report.token_state],
    ...(renewal === null ? [] : [["Renewal due", ...endText(due, now, "not known")] as const]),
    ["Calls being sent", String(report.in_flight), `${report.queued} waiting`],
    ["Money calls open", String(open), oldest === null ? "" : `the oldest for ${spanText(oldest * 1000)}`],
    ["Certificate ends", ...endText(report.certificate_ends_at, now, "not seen yet")],
  ];
  const cells = rows.map(
    ([name, value, more]) =>
      `<div><dt>${escape(name)}</dt><dd>${escape(value)}<small>${escape(more)}</small></dd></div>`,
  );
  return `<dl class="tiles">\n${cells.join("\n")}\n</dl>`;
}

function endText(time: string | null, now: number, unknown: string): readonly [value: string, more: string] {
  if (time === null) return [unknown, ""];
  const at = Date.parse(time);
  return [relativeText(at, now), dateText(at, now)];
}

function table(rows: readonly (readonly [name: string, value: string])[]): string {
  const lines = rows.map(
    ([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`,
  );
  return `<table>\n${lines.join("\n")}\n</table>`;
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
    ["clock wrong", renewal.clock_wrong ?? "no"],
    ["record elsewhere", renewal.record_elsewhere ?? "no"],
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
