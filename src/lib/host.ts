import { isIPv4, isIPv6 } from "node:net";

import { shortestIPv6 } from "./ip.ts";

/** DNS names, and the underscores that service names of Docker Compose have. RFC 1123 section 2.1 for the lengths. */
const hostName =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/**
 * A name whose last label is a number is an IPv4 address to every URL parser
 * (WHATWG URL, "ends in a number"): `127.1` and `2130706433` are loopback in disguise.
 */
const numberAtEnd = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

/**
 * A host as it may stand in a URL or a Host field, in the one form that it has:
 * lower case, an IPv4 address as four numbers, an IPv6 address in its shortest form.
 * @param text a name, an IPv4 address, or an IPv6 address in brackets
 * @returns without brackets; undefined where it is none of these, or written oddly
 */
export function canonicalHost(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (lower.startsWith("[") && lower.endsWith("]")) return canonicalIPv6(lower.slice(1, -1));
  if (isIPv4(lower)) return lower;
  return hostName.test(lower) && !numberAtEnd.test(lower) ? lower : undefined;
}

function canonicalIPv6(text: string): string | undefined {
  // A zone (`%eth0`) means something on one machine only, and URLs can't have it.
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const shortest = shortestIPv6(text);
  // An IPv4 address in IPv6 dress would be a second name for the same place.
  return shortest.startsWith("::ffff:") ? undefined : shortest;
}

/** Is this host (in canonical form) this machine itself, whatever a resolver says? */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** A place in the network that a connection is opened to. */
export interface Endpoint {
  /** Host name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The one server that calls go to. */
export interface Origin extends Endpoint {
  /** `https://host` or `https://host:port`, without a path. */
  readonly url: string;
}

/** `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function authorityOf({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** `host:port` as it was written, taken apart and not checked: `canonicalHost` and `parsePort` do that. */
export interface WrittenAuthority {
  /** With brackets, if it has them. */
  readonly host: string;
  /** Digits, or nothing behind the colon; undefined where there is no colon with digits behind it. */
  readonly port: string | undefined;
}

/** Takes `host` or `host:port` apart, at the last colon that is not within brackets. */
export function splitAuthority(text: string): WrittenAuthority {
  const [, host = text, port] = /^(.*):(\d*)$/s.exec(text) ?? [];
  return { host, port };
}

/** Has it the form of a host in a URL (RFC 3986 section 3.2.2): in brackets, or without colons and brackets? */
export function isHostForm(host: string): boolean {
  return /^(?:\[[^\]]*\]|[^:[\]]*)$/.test(host);
}

/** @returns undefined for what is no port that can be connected to */
export function parsePort(text: string): number | undefined {
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}
