import type { RawHeaders } from "./headers.ts";
import { hostOf, portPattern } from "./target.ts";

/** Whether the caller may use the proxy, or why not: one sentence, made of nothing that it sent. */
export type CallerDecision =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: "wrong-host" | "browser-refused" | "bad-request";
      readonly detail: string;
    };

export interface CallerRules {
  /** The caller came through a Unix socket, which no browser reaches: any one Host will do. */
  readonly unixSocket: boolean;
  /** Host names accepted besides the loopback's, as `hostNames` makes them. */
  readonly names: ReadonlySet<string>;
}

const accepted: CallerDecision = { ok: true };

const refusals = {
  noHost: {
    ok: false,
    code: "bad-request",
    detail: "The request has no Host field, or an empty one; send one Host field.",
  },
  twoHosts: {
    ok: false,
    code: "bad-request",
    detail: "The request has more than one Host field; send one.",
  },
  wrongHost: {
    ok: false,
    code: "wrong-host",
    detail:
      "The Host field names none of this sidecar's names; call it by localhost, 127.0.0.1, [::1] or Presto's own name, or list the name in PRESTO_HOSTS.",
  },
  origin: {
    ok: false,
    code: "browser-refused",
    detail: "The request has an Origin field, as web pages send it; call from a server program.",
  },
  fetchSite: {
    ok: false,
    code: "browser-refused",
    detail:
      "The Sec-Fetch-Site field says that a web page of another site made the request; call from a server program.",
  },
} as const satisfies Record<string, CallerDecision>;

/** RFC 3986 section 3.2.2, `dec-octet`: an address has one spelling, and no short, octal or padded one. */
const octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

/** The loopback's names, with any port or none. */
const loopback = new RegExp(`^(?:localhost|127(?:\\.${octet}){3}|\\[::1\\])(?::${portPattern})?$`, "i");

/**
 * The names by which callers may call besides the loopback's: the upstream's own (for apps that
 * only set `http_proxy`) and the configured ones, in the spelling that a Host field is compared in.
 */
export function hostNames(upstreamHost: string, hosts: readonly string[]): ReadonlySet<string> {
  const spell = (host: string): string => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host);
  return new Set([upstreamHost, ...hosts].map((host) => spell(host).toLowerCase()));
}

/**
 * Judges who calls, by what a browser can't leave out or forge: a page that was led here by DNS
 * rebinding sends its own `Host`; a page of another site sends `Origin`, or (an image, a form, a
 * link) `Sec-Fetch-Site`. `Host` is judged first.
 */
export function checkCaller(rawHeaders: RawHeaders, rules: CallerRules): CallerDecision {
  let host: string | undefined;
  let fromPage: CallerDecision | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // Most names are told apart by their length, without making them lower case.
    if (name.length === 4) {
      if (name.toLowerCase() !== "host") continue;
      if (host !== undefined) return refusals.twoHosts;
      host = rawHeaders[at + 1] ?? "";
    } else if (name.length === 6) {
      if (name.toLowerCase() === "origin") fromPage = refusals.origin;
    } else if (name.length === 14 && name.toLowerCase() === "sec-fetch-site") {
      const site = rawHeaders[at + 1];
      if (site !== "none" && site !== "same-origin") fromPage ??= refusals.fetchSite;
    }
  }
  if (host === undefined || host === "") return refusals.noHost;
  if (!rules.unixSocket && !isOurs(host, rules.names)) return refusals.wrongHost;
  return fromPage ?? accepted;
}

function isOurs(authority: string, names: ReadonlySet<string>): boolean {
  if (loopback.test(authority)) return true;
  const host = hostOf(authority);
  return host !== undefined && names.has(host);
}
