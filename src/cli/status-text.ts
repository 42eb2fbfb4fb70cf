import { dateText, relativeText, spanText } from "../lib/duration.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { printable } from "./terminal.ts";

/** How words stand out, where they can. */
export interface Emphasis {
  readonly strong: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly odd: (text: string) => string;
}

/**
 * What a sidecar says of itself (`/status`), in plain words. It may be of another version than this
 * program: what is not there, or is of another kind, is left out.
 * @param now wall clock, milliseconds since 1970
 */
export function statusText(status: JsonObject, now: number, emphasis: Emphasis): string[] {
  const rows: [name: string, text: string][] = [
    row("Serves", servesText(status)),
    row("Token", tokenText(status, now, emphasis)),
    row("Renewal", renewalText(objectOf(status, "renewal"), now)),
    row("Store", storeText(status, now)),
    row("Money", moneyText(status)),
    row("Certificate", certificateText(status, now)),
    row("Way out", egressText(objectOf(status, "egress"))),
  ].filter((each) => each !== undefined);
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...headText(status, now, emphasis),
    "",
    ...rows.map(([name, text]) => `${emphasis.strong(name.padEnd(width))}  ${text}`),
    ...lightLines(status, emphasis),
  ];
}

function row(name: string, text: string | undefined): [name: string, text: string] | undefined {
  return text === undefined ? undefined : [name, text];
}

function headText(status: JsonObject, now: number, { good, bad }: Emphasis): string[] {
  const ready = status["ready"] === true ? good("Ready.") : bad("Not ready.");
  const version = textOf(objectOf(status, "versions") ?? {}, "presto_sidecar");
  const role = textOf(status, "role");
  const started = timeOf(status, "started_at");
  const up =
    started === undefined ? "" : `, up for ${spanText(now - started)} (since ${dateText(started, now)})`;
  return [
    `${ready} presto-sidecar${version === undefined ? "" : ` ${version}`}${role === undefined ? "" : `, role ${role}`}${up}.`,
  ];
}

function servesText(status: JsonObject): string | undefined {
  const upstream = textOf(status, "upstream");
  if (upstream === undefined || textOf(status, "role") === "rotator") return undefined;
  const sent = numberOf(status, "in_flight") ?? 0;
  const waiting = numberOf(status, "queued") ?? 0;
  return `calls to ${upstream}; ${counted(sent, "is", "are")} being sent, ${counted(waiting, "waits", "wait")}.`;
}

function tokenText(status: JsonObject, now: number, { bad }: Emphasis): string | undefined {
  const generation = numberOf(status, "generation");
  if (textOf(status, "token_state") === "none" || generation === undefined) return bad("none is in hand.");
  const id = textOf(status, "token_id");
  const since = timeOf(status, "token_since");
  const end = timeOf(status, "expires_at");
  const refused = textOf(status, "token_state") === "refused";
  return [
    `generation ${generation}${id === undefined ? "" : ` (fingerprint ${id})`}`,
    refused ? bad("refused by Presto") : undefined,
    since === undefined ? undefined : `in hand since ${dateText(since, now)}`,
    end === undefined
      ? "when it ends is not known"
      : end > now
        ? `ends ${relativeText(end, now)} (${dateText(end, now)})`
        : bad(`ended ${relativeText(end, now)} (${dateText(end, now)})`),
  ]
    .filter((part) => part !== undefined)
    .join(", ")
    .concat(".");
}

function renewalText(renewal: JsonObject | undefined, now: number): string | undefined {
  if (renewal === undefined) return undefined;
  const due = timeOf(renewal, "due_at");
  const next = timeOf(renewal, "next_try_at");
  const state = textOf(renewal, "state");
  const plan =
    renewal["automatic"] === false
      ? "only when a person asks for it"
      : due === undefined
        ? "when it is due is not known"
        : due > now
          ? `due ${relativeText(due, now)} (${dateText(due, now)})`
          : `was due ${relativeText(due, now)}`;
  return [
    plan,
    state === undefined || state === "idle" ? undefined : `now ${state}`,
    lockText(objectOf(renewal, "lock")),
    next === undefined ? undefined : `tried again ${relativeText(next, now)}`,
    lastEndText(objectOf(renewal, "last_end"), now),
  ]
    .filter((part) => part !== undefined)
    .join("; ")
    .concat(".");
}

function lockText(lock: JsonObject | undefined): string | undefined {
  const name = lock === undefined ? undefined : textOf(lock, "name");
  const holder = lock === undefined ? undefined : textOf(lock, "holder");
  return name === undefined || holder === undefined ? undefined : `${holder} holds the lock (${name})`;
}

function lastEndText(end: JsonObject | undefined, now: number): string | undefined {
  const kind = end === undefined ? undefined : textOf(end, "kind");
  if (end === undefined || kind === undefined) return undefined;
  const at = timeOf(end, "at");
  const detail = textOf(end, "detail");
  const when = at === undefined ? "" : ` ${relativeText(at, now)}`;
  return `the last one ended${when}: ${kind}${detail === undefined ? "" : ` (${detail.replace(/\.$/, "")})`}`;
}

function storeText(status: JsonObject, now: number): string | undefined {
  const kind = textOf(status, "store");
  if (kind === undefined) return undefined;
  const state = objectOf(status, "store_state");
  if (state === undefined) return `${kind}.`;
  const readAt = timeOf(state, "last_read_at");
  const failure = textOf(state, "failure");
  const watch = textOf(state, "watch");
  return [
    kind,
    readAt === undefined ? "not read yet" : `read ${relativeText(readAt, now)}`,
    watch === "down" ? "its watch is down, so it is polled" : undefined,
    failure?.replace(/\.$/, ""),
  ]
    .filter((part) => part !== undefined)
    .join(", ")
    .concat(".");
}

function moneyText(status: JsonObject): string | undefined {
  const open = numberOf(status, "open_outcomes");
  if (open === undefined) return undefined;
  if (open === 0) return "every call that moves money has a known end.";
  const oldest = numberOf(status, "oldest_open_outcome_seconds");
  return `what became of ${open} ${open === 1 ? "call" : "calls"} is not known${oldest === undefined ? "" : `, for ${spanText(oldest * 1000)}`}; list with: presto-sidecar outcomes`;
}

function certificateText(status: JsonObject, now: number): string | undefined {
  const end = timeOf(status, "certificate_ends_at");
  if (end === undefined) return undefined;
  return end < now
    ? `Presto's has ended ${relativeText(end, now)}.`
    : `Presto's ends ${relativeText(end, now)} (${dateText(end, now)}).`;
}

function egressText(egress: JsonObject | undefined): string | undefined {
  if (egress === undefined) return undefined;
  const given = egress["addresses"];
  const addresses = Array.isArray(given) ? given.filter((each) => typeof each === "string") : [];
  const closed = textOf(egress, "closed");
  if (addresses.length === 0 && closed === undefined) return undefined;
  const registered = egress["registered"];
  return [
    addresses.length === 0 ? "from an address that is not known" : `from ${printable(addresses.join(", "))}`,
    registered === true ? "registered" : registered === false ? "not registered" : undefined,
    closed === undefined ? undefined : `calls are kept back: ${closed.replace(/\.$/, "")}`,
  ]
    .filter((part) => part !== undefined)
    .join(", ")
    .concat(".");
}

/** What keeps it from being ready, and what somebody should look at. */
function lightLines(status: JsonObject, { bad, odd, strong }: Emphasis): string[] {
  const closed = Object.entries(objectOf(status, "latches") ?? {}).flatMap(([name, latch]) => {
    if (!isObject(latch) || latch["closed"] !== true) return [];
    const mark = latch["advisory"] === true ? odd("[!]") : bad("[-]");
    return [`${mark} ${printable(name)}: ${textOf(latch, "reason") ?? "closed"}`];
  });
  return closed.length === 0 ? [] : ["", strong("Look at:"), ...closed];
}

function counted(count: number, one: string, more: string): string {
  return `${count === 0 ? "none" : count} ${count === 1 ? one : more}`;
}

function objectOf(from: JsonObject, name: string): JsonObject | undefined {
  const value = from[name];
  return isObject(value) ? value : undefined;
}

function textOf(from: JsonObject, name: string): string | undefined {
  const value = from[name];
  return typeof value === "string" ? printable(value) : undefined;
}

function numberOf(from: JsonObject, name: string): number | undefined {
  const value = from[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Milliseconds since 1970. */
function timeOf(from: JsonObject, name: string): number | undefined {
  const value = from[name];
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
