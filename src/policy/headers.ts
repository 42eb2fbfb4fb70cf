import { passesToCaller, passesToPresto } from "./header-lists.ts";
import { createOwnAuthority, isMadeOf, tokenCharacters, unreserved, type Upstream } from "./target.ts";

/**
 * Fields as Node gives and takes them: one flat list, name, value, name, value. Names and
 * values keep their bytes, fields their order, and a field that came twice stays twice.
 */
export type RawHeaders = readonly string[];

/** What Node and undici refuse to write: NUL, line ends and other control bytes, and what is not one byte. */
const unwritable = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * The caller's fields that go to Presto; ours are added to them afterwards, so that nothing
 * here can take one of ours away. Dropped are the fields of the connection with all that
 * `Connection` names (RFC 9110 section 7.6.1), then what `header-lists.ts` lists.
 */
export function selectRequestHeaders(rawHeaders: RawHeaders): string[] {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    const lower = name.toLowerCase();
    if (passesToPresto(lower)) kept.push(name, value);
    else if (listsOptions(lower)) named = withOptions(named, value);
  }
  return named === undefined ? kept : withoutNamed(kept, named);
}

/**
 * Presto's fields that go to the caller. Besides the connection's, and what `header-lists.ts`
 * lists, are dropped: a `Location` that leads away from the upstream (one that stays is made
 * relative), and values that could not be written.
 */
export function selectReplyHeaders(rawHeaders: RawHeaders, upstream: Upstream): string[] {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    const lower = name.toLowerCase();
    if (!passesToCaller(lower)) {
      if (listsOptions(lower)) named = withOptions(named, value);
      continue;
    }
    if (unwritable.test(value)) continue;
    const isLocation = lower === "location" || lower === "content-location";
    const written = isLocation ? relativeLocation(value, upstream) : value;
    if (written !== undefined) kept.push(name, written);
  }
  return named === undefined ? kept : withoutNamed(kept, named);
}

const traceParent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/** The id of the trace that a `traceparent` names (W3C Trace Context, section 3.2); undefined where it is not well-formed. */
export function readTraceId(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? traceParent.exec(value)?.[1] : undefined;
}

const longestRequestId = 128;

/** The caller's request id, if it sent exactly one of 1 to 128 characters of `A-Za-z0-9._-`. */
export function readRequestId(rawHeaders: RawHeaders): string | undefined {
  let id: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (name.length !== 12 || name.toLowerCase() !== "x-request-id") continue;
    if (id !== undefined) return undefined;
    id = rawHeaders[at + 1] ?? "";
  }
  if (id === undefined || id.length === 0 || id.length > longestRequestId) return undefined;
  return isMadeOf(unreserved, id) && !id.includes("~") ? id : undefined;
}

function listsOptions(lower: string): boolean {
  return lower === "connection" || lower === "proxy-connection";
}

/**
 * Adds the names in a `Connection` value, in lower case. Everything that is not a token
 * character parts two names, not only the comma: a list that is written badly names more, never less.
 */
function withOptions(named: Set<string> | undefined, value: string): Set<string> | undefined {
  // What nearly every client sends; the field Keep-Alive is dropped anyway, and there is no field Close.
  if (value === "keep-alive" || value === "close") return named;
  const names = named ?? new Set<string>();
  let start = 0;
  for (let at = 0; at <= value.length; at += 1) {
    if (at < value.length && tokenCharacters[value.charCodeAt(at)] === 1) continue;
    if (at > start) names.add(value.slice(start, at).toLowerCase());
    start = at + 1;
  }
  return names;
}

function withoutNamed(headers: RawHeaders, named: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? "";
    if (!named.has(name.toLowerCase())) kept.push(name, headers[at + 1] ?? "");
  }
  return kept;
}

/** Visible ASCII without the backslash, which browsers and WHATWG URLs read as a slash. */
const plain = /^[!-[\]-~]+$/;
const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const https = /^https:\/\//i;
const endOfAuthority = /[/?#]/;
const endOfPath = /[?#]/;

/**
 * A `Location` or `Content-Location` as the caller may have it: a reference without scheme and
 * host, which it resolves against the address by which it called us; undefined if the value
 * leads, or by some reading could lead, away from the upstream's origin (RFC 9110 section 10.2.2).
 * Relative references stay as they are: under us the paths are the upstream's own.
 */
export function relativeLocation(value: string, upstream: Upstream): string | undefined {
  if (!plain.test(value)) return undefined;
  const reference = scheme.test(value) ? withoutOrigin(value, upstream) : value;
  if (reference === undefined) return undefined;
  // "//" at the start names a host; further in, it does so for who resolves "/..//host" on paper.
  const length = reference.search(endOfPath);
  const path = length === -1 ? reference : reference.slice(0, length);
  return path.includes("//") ? undefined : reference;
}

function withoutOrigin(url: string, upstream: Upstream): string | undefined {
  const start = https.exec(url)?.[0];
  if (start === undefined) return undefined;
  const rest = url.slice(start.length);
  const length = rest.search(endOfAuthority);
  const authority = length === -1 ? rest : rest.slice(0, length);
  if (!createOwnAuthority(upstream)(authority)) return undefined;
  // Without a port it is 443, which is another origin if calls go elsewhere.
  if (upstream.port !== 443 && !authority.endsWith(`:${upstream.port}`)) return undefined;
  const reference = rest.slice(authority.length);
  return reference.startsWith("/") ? reference : `/${reference}`;
}
