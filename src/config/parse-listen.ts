import { isIPv6 } from "node:net";
import { posix } from "node:path";

import { canonicalHost, isLoopbackHost, splitAuthority } from "../lib/host.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { InvalidValue, parseList, parseMode, quote } from "./parse.ts";

/** Owner only, unless the address says otherwise. */
const socketMode = 0o600;

/** `sun_path` of unix(7) has 108 bytes, the last of them zero. */
const longestSocketPath = 107;

/**
 * One address to listen on: `host:port`, `[::1]:port`, `unix:/path`, `unix:/path?mode=0660`. An IPv6
 * address may stand without its brackets, as Kubernetes puts a pod's into `$(POD_IP):7381`: the last
 * `:port` is the port.
 * `localhost` becomes `127.0.0.1`: what is bound must not depend on a resolver.
 * @throws InvalidValue
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) return parseUnix(text);
  if (text === "off") throw new InvalidValue("can't be off; only PRESTO_CONTROL_LISTEN can");
  const { host: hostText, port: portText } = splitAuthority(text);
  if (portText === undefined || !/^\d{1,5}$/.test(portText)) {
    throw new InvalidValue(`${quote(text)} is not an address (host:port, [IPv6]:port or unix:/path)`);
  }
  if (hostText === "" || hostText === "*") {
    throw new InvalidValue(
      `${quote(text)} names no address; write 0.0.0.0:${portText} if all of them are meant`,
    );
  }
  if (hostText.endsWith("."))
    throw new InvalidValue(`${quote(text)} has a host name that ends with a dot; leave the dot out`);
  const host = canonicalHost(isIPv6(hostText) ? `[${hostText}]` : hostText);
  if (host === undefined)
    throw new InvalidValue(`${quote(text)} has no valid host (or has one that is written oddly)`);
  const port = Number(portText);
  if (port > 65_535) throw new InvalidValue(`${quote(text)} has a port that does not exist`);
  return { kind: "tcp", host: host === "localhost" ? "127.0.0.1" : host, port };
}

function parseUnix(text: string): ListenAddress {
  const [path = "", ...query] = text.slice("unix:".length).split("?");
  if (!path.startsWith("/")) throw new InvalidValue(`${quote(text)} has no absolute path; write unix:/path`);
  // A path written in two ways would be one socket that two listeners take from each other.
  if (!/^[\x20-\x7e]+$/.test(path) || posix.normalize(path) !== path || path.endsWith("/")) {
    throw new InvalidValue(
      `${quote(text)} has an odd path; write it plainly, without //, . or .. in it and no / at its end`,
    );
  }
  if (path.length > longestSocketPath) {
    throw new InvalidValue(
      `a socket's path can have ${longestSocketPath} bytes at most, and this one has ${path.length}`,
    );
  }
  if (query.length === 0) return { kind: "unix", path, mode: socketMode };
  const mode = parseMode(query.join("?"), { subject: `${quote(text)} `, what: "socket", example: "0660" });
  return { kind: "unix", path, mode };
}

/** Comma list of addresses to listen on. That none stands there twice is checked among all listeners. */
export function parseListenAddresses(text: string): ListenAddress[] {
  return parseList(text, parseListenAddress);
}

/** An address, or `off`. */
export function parseListenAddressOrOff(text: string): ListenAddress | "off" {
  return text === "off" ? text : parseListenAddress(text);
}

/** Can only this machine reach it? */
export function isLocalAddress(address: ListenAddress): boolean {
  return address.kind === "unix" || isLoopbackHost(address.host);
}

/** Why nobody may listen there for the verbs that act; undefined where that is all right. */
export function faultOfControl(address: ListenAddress): string | undefined {
  if (isLocalAddress(address)) return undefined;
  return `${formatListenAddress(address)} can be reached from elsewhere; only loopback, a Unix socket or off will do here`;
}

/** Would the second of the two find the address taken? Port 0 is a new port each time. */
export function isSameAddress(one: ListenAddress, other: ListenAddress): boolean {
  if (one.kind === "unix" || other.kind === "unix")
    return formatListenAddress(one) === formatListenAddress(other);
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || covers(one.host, other.host) || covers(other.host, one.host);
}

/** Node binds `::` for IPv4 as well, unless it is told not to. */
function covers(wildcard: string, host: string): boolean {
  return wildcard === "::" || (wildcard === "0.0.0.0" && !host.includes(":"));
}
