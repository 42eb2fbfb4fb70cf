import { createOwnAuthority, type Upstream } from "./authority.ts";

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
