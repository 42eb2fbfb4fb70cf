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
