/** A target in canonical form, or why it is not: one sentence for the caller, made of nothing that it sent. */
export type TargetDecision =
  | {
      readonly ok: true;
      /** Origin form, and byte for byte what is sent: path and query. */
      readonly target: string;
      /** The path alone: what operations are matched with. */
      readonly path: string;
    }
  | { readonly ok: false; readonly detail: string };

const slash = 0x2f;
const dot = 0x2e;
const questionMark = 0x3f;
const percent = 0x25;
const numberSign = 0x23;
const backslash = 0x5c;

const absoluteForm = /^https?:\/\//i;
const endOfAuthority = /[/?#\\]/;

function refused(detail: string): TargetDecision {
  return { ok: false, detail };
}

const refusals = {
  form: refused(
    "The request target is neither a path nor an http:// or https:// URL; send the path, beginning with one slash.",
  ),
  asterisk: refused("The request target is an asterisk; send a path, beginning with one slash."),
  userinfo: refused("The request target carries a user name; leave it out of the URL."),
  otherHost: refused(
    "The request target names another host than Presto's own; this proxy forwards to no other.",
  ),
  noPath: refused("The request target is a URL without a path; write the path out."),
  emptySegment: refused("The path has an empty segment; write each slash once, and none at the end."),
  dotSegment: refused('The path has a "." or ".." segment; write the path that is meant.'),
  percentInPath: refused(
    "The path has a percent sign; it may hold only letters, digits, - . _ ~ and slashes, none of them encoded.",
  ),
  pathCharacter: refused(
    "The path has a character that is not allowed; it may hold only letters, digits, - . _ ~ and slashes.",
  ),
  fragment: refused("The request target has a fragment; leave out # and what follows."),
  queryCharacter: refused(
    "The query has a space, a backslash, or a character outside printable ASCII; percent-encode it.",
  ),
  queryPercent: refused(
    "The query has a percent sign without two hexadecimal digits; write a percent sign itself as %25.",
  ),
};

/**
 * Judges the request target as it came (`req.url`, unparsed). Only what every server and every
 * library reads in the same way is accepted, because what was judged is what is sent: the path
 * may hold nothing that could be decoded, folded or resolved into another path.
 *
 * Absolute form (RFC 9112 section 3.2.2: what a client with `http_proxy` set sends) is accepted
 * if `isOwnAuthority` says that it names the upstream, and turned into origin form. The scheme
 * is not kept: whatever it was, the call leaves over TLS.
 */
export function checkTarget(
  rawTarget: string,
  isOwnAuthority: (authority: string) => boolean,
): TargetDecision {
  if (rawTarget.charCodeAt(0) === slash) return checkOriginForm(rawTarget);
  if (rawTarget === "*") return refusals.asterisk;
  const scheme = absoluteForm.exec(rawTarget)?.[0];
  if (scheme === undefined) return refusals.form;

  const rest = rawTarget.slice(scheme.length);
  const length = rest.search(endOfAuthority);
  const authority = length === -1 ? rest : rest.slice(0, length);
  if (authority.includes("@")) return refusals.userinfo;
  if (!isOwnAuthority(authority)) return refusals.otherHost;
  const target = rest.slice(authority.length);
  return target.charCodeAt(0) === slash ? checkOriginForm(target) : refusals.noPath;
}

/** `target` begins with a slash. The root alone is canonical, though no operation has it. */
function checkOriginForm(target: string): TargetDecision {
  let segmentStart = 1;
  let at = 1;
  for (; at < target.length; at += 1) {
    const code = target.charCodeAt(at);
    if (unreserved[code] === 1) continue;
    if (code === questionMark) break;
    if (code !== slash) return pathRefusal(code);
    const fault = segmentFault(target, segmentStart, at);
    if (fault !== undefined) return fault;
    segmentStart = at + 1;
  }
  if (at > 1) {
    const fault = segmentFault(target, segmentStart, at);
    if (fault !== undefined) return fault;
  }
  if (at === target.length) return { ok: true, target, path: target };
  return queryFault(target, at + 1) ?? { ok: true, target, path: target.slice(0, at) };
}

function pathRefusal(code: number): TargetDecision {
  if (code === percent) return refusals.percentInPath;
  return code === numberSign ? refusals.fragment : refusals.pathCharacter;
}

function segmentFault(target: string, from: number, to: number): TargetDecision | undefined {
  if (to - from > 2) return undefined;
  if (to === from) return refusals.emptySegment;
  if (target.charCodeAt(from) !== dot || target.charCodeAt(to - 1) !== dot) return undefined;
  return refusals.dotSegment;
}

function queryFault(target: string, from: number): TargetDecision | undefined {
  for (let at = from; at < target.length; at += 1) {
    const code = target.charCodeAt(at);
    if (code === numberSign) return refusals.fragment;
    if (code <= 0x20 || code >= 0x7f || code === backslash) return refusals.queryCharacter;
    if (code !== percent) continue;
    if (hexDigits[target.charCodeAt(at + 1)] !== 1) return refusals.queryPercent;
    if (hexDigits[target.charCodeAt(at + 2)] !== 1) return refusals.queryPercent;
    at += 2;
  }
  return undefined;
}

/** Where the calls go, as far as a judgement needs to know it. `lib/host.ts` has this shape. */
export interface Upstream {
  /** Host name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Source of a regular expression: a port from 1 to 65535, without leading zeros. */
export const portPattern =
  "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
const onlyPort = new RegExp(`^${portPattern}$`);

/**
 * The host of a `Host` field or of an authority, in lower case, an IPv6 address still in its
 * brackets; undefined where the port is not a number from 1 to 65535. The host itself is not
 * judged: compare it with names that are known. Userinfo stays in it, and so equals none.
 */
export function hostOf(authority: string): string | undefined {
  const colon = authority.lastIndexOf(":");
  if (colon === -1 || authority.endsWith("]")) return authority.toLowerCase();
  if (!onlyPort.test(authority.slice(colon + 1))) return undefined;
  return authority.slice(0, colon).toLowerCase();
}

/**
 * Tells whether an authority is the upstream's own: its name, in any letter case, alone or
 * with the port that calls really go to. Any other port names another origin (RFC 6454
 * section 4), and a trailing dot or userinfo is not part of the name.
 */
export function createOwnAuthority(upstream: Upstream): (authority: string) => boolean {
  const host = upstream.host.toLowerCase();
  const bare = host.includes(":") ? `[${host}]` : host;
  const withPort = `${bare}:${upstream.port}`;
  return (authority) => {
    const given = authority.toLowerCase();
    return given === bare || given === withPort;
  };
}

/** Segments of a path that are words, and not somebody's number, name or secret. */
const plainSegment = /^(?:|[A-Za-z][A-Za-z._-]{0,31}|v\d{1,3})$/;
const mostSegments = 8;
const longestJudged = 1024;

/**
 * The path of a target that was refused, as a log may have it: without scheme, authority, query and
 * fragment, 8 segments at most, and each that is no plain word as `*`. So it can't hold what a caller
 * has put there by mistake, a token least of all.
 */
export function shownPath(target: string): string {
  const path = target
    .slice(0, longestJudged)
    .replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, "")
    .split(/[?#]/, 1);
  const segments = (path[0] ?? "").split("/");
  const shown = segments
    .slice(0, mostSegments + 1)
    .map((segment) => (plainSegment.test(segment) ? segment : "*"));
  return segments.length > shown.length ? `${shown.join("/")}/…` : shown.join("/");
}

/**
 * Sets of ASCII characters, looked up by character code: a judgement runs on every
 * request, and one table read for each character is the cheapest that there is.
 */

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";

function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (let at = 0; at < characters.length; at += 1) set[characters.charCodeAt(at)] = 1;
  return set;
}

/** RFC 3986 section 2.3: what means the same with and without percent-encoding, to every server. */
export const unreserved = setOf(`${letters}${digits}-._~`);

/** RFC 3986 section 2.1. */
const hexDigits = setOf(`${digits}ABCDEFabcdef`);

/** RFC 9110 section 5.6.2, `tchar`: what names of fields and connection options are made of. */
export const tokenCharacters = setOf(`!#$%&'*+-.^_\`|~${letters}${digits}`);

/** Is every character of `text` from `from` up to (not including) `to` in the set? True of nothing at all. */
export function isMadeOf(set: Uint8Array, text: string, from = 0, to = text.length): boolean {
  for (let at = from; at < to; at += 1) {
    if (set[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}
