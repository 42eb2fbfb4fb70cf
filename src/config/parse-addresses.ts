import { posix } from "node:path";

import { parseLocalAddress } from "../connect/local-address.ts";
import { type EgressProxy, parseProxyUrl } from "../connect/proxy-url.ts";
import type { CheckUrl } from "../egress-ip/check-url.ts";
import {
  authorityOf,
  canonicalHost,
  type Endpoint,
  isHostForm,
  isLoopbackHost,
  type Origin,
  parsePort,
  splitAuthority,
  type WrittenAuthority,
} from "../lib/host.ts";
import { type Network, parseNetwork } from "../lib/ip.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type Operation, readTemplate, walletOperations } from "../policy/operations.ts";
import { withoutLineEnd } from "./parse-secrets.ts";
import { parseList, quote, InvalidValue } from "./parse.ts";

/**
 * The origin that calls go to. The value is never shown in a message: people put
 * passwords into URLs.
 * @throws InvalidValue
 */
export function parseOrigin(text: string): Origin {
  if (/^http:/i.test(text)) throw new InvalidValue("is plain HTTP; it must begin with https://");
  if (!/^https:\/\//i.test(text)) throw new InvalidValue("is not an https:// URL");
  const rest = text.slice("https://".length);
  if (rest.includes("@")) throw new InvalidValue("holds a user name or a password; give the origin alone");
  if (/[?#]/.test(rest)) throw new InvalidValue("has a query or a fragment; give the origin alone");
  if (/^[^/]*\/./.test(rest)) throw new InvalidValue("has a path; give the origin alone");
  const authority = splitHttpsAuthority(rest.replace(/\/$/, ""));
  const { host, port } = readHttpsAuthority(authority ?? { host: "", port: undefined });
  if (port !== 443 && !isLoopbackHost(host)) {
    throw new InvalidValue("has a port other than 443, which only a loopback host may have (the sandbox)");
  }
  return { url: httpsUrl({ host, port }), host, port };
}

/** @returns undefined where it has not the form of an authority */
function splitHttpsAuthority(text: string): WrittenAuthority | undefined {
  const written = splitAuthority(text);
  const { host, port } = written;
  return isHostForm(host) && (port === undefined || /^\d{1,5}$/.test(port)) ? written : undefined;
}

function readHttpsAuthority({ host: hostText, port: portText }: WrittenAuthority): Endpoint {
  if (hostText.endsWith("."))
    throw new InvalidValue("has a host name that ends with a dot; leave the dot out");
  const host = canonicalHost(hostText);
  if (host === undefined) throw new InvalidValue("has no valid host name (or has one that is written oddly)");
  const port = portText === undefined ? 443 : parsePort(portText);
  if (port === undefined) throw new InvalidValue("has a port that does not exist");
  return { host, port };
}

/** Without a port that is the scheme's own. */
function httpsUrl(endpoint: Endpoint): string {
  return `https://${authorityOf(endpoint).replace(/:443$/, "")}`;
}

/**
 * Further names that callers may put into `Host`.
 * @returns lower case; IPv6 addresses without brackets
 */
export function parseHosts(text: string): string[] {
  return parseList(text, parseHost, (host) => host);
}

function parseHost(text: string): string {
  if (text.includes("*")) throw new InvalidValue(`${quote(text)} has a wildcard; name each host`);
  if (text.includes("/"))
    throw new InvalidValue(`${quote(text)} is not a host name; leave out the scheme and the path`);
  if (/^(?:\[.*\]|[^:]*):\d*$/.test(text))
    throw new InvalidValue(`${quote(text)} has a port; leave it out, any port is accepted`);
  if (text.endsWith("."))
    throw new InvalidValue(`${quote(text)} is not a host name, for the dot at its end; leave that out`);
  const host = canonicalHost(text);
  if (host === undefined) throw new InvalidValue(`${quote(text)} is not a host name`);
  return host;
}

/** Owner only, unless the address says otherwise. */
const socketMode = 0o600;

/** `sun_path` of unix(7) has 108 bytes, the last of them zero. */
const longestSocketPath = 107;

/**
 * One address to listen on: `host:port`, `[::1]:port`, `unix:/path`, `unix:/path?mode=0660`.
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
  if (hostText.includes(":") && !hostText.startsWith("[")) {
    throw new InvalidValue(
      `${quote(text)} is ambiguous; an IPv6 address stands in brackets, [::1]:${portText}`,
    );
  }
  if (hostText.endsWith("."))
    throw new InvalidValue(`${quote(text)} has a host name that ends with a dot; leave the dot out`);
  const host = canonicalHost(hostText);
  if (host === undefined)
    throw new InvalidValue(`${quote(text)} has no valid host (or has one that is written oddly)`);
  const port = Number(portText);
  if (port > 65_535) throw new InvalidValue(`${quote(text)} has a port that does not exist`);
  return { kind: "tcp", host: host === "localhost" ? "127.0.0.1" : host, port };
}

function parseUnix(text: string): ListenAddress {
  const [path = "", query, more] = text.slice("unix:".length).split("?");
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
  if (query === undefined) return { kind: "unix", path, mode: socketMode };
  const [, octal] = /^mode=0?([0-7]{3})$/.exec(query) ?? [];
  if (octal === undefined || more !== undefined) {
    throw new InvalidValue(
      `${quote(text)} has something other than a mode behind the question mark; write ?mode=0660`,
    );
  }
  const mode = Number.parseInt(octal, 8);
  if ((mode & 0o007) !== 0) {
    throw new InvalidValue(
      `${quote(text)} opens the socket to every user of the machine; the last digit of the mode must be 0`,
    );
  }
  if ((mode & 0o600) !== 0o600)
    throw new InvalidValue(`${quote(text)} has a mode that locks out its owner; 0600 is the least`);
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

/**
 * Registered addresses: IPv4 and IPv6, single ones and CIDRs.
 * @throws InvalidValue
 */
export function parseEgressIps(text: string): Network[] {
  return parseList(
    text,
    (entry) => {
      const { network, wrong } = parseNetwork(entry);
      if (network === undefined) throw new InvalidValue(`${quote(entry)} ${wrong}`);
      return network;
    },
    (network) => network.text,
  );
}

/**
 * URLs of servers that answer with the caller's address. Two on one server are refused: they
 * would be one witness that is counted twice. No value is shown: a query may hold a key.
 * @throws InvalidValue
 */
export function parseCheckUrls(text: string): CheckUrl[] {
  const urls = parseList(text, parseCheckUrl);
  for (const [index, { name }] of urls.entries()) {
    const first = urls.findIndex((other) => other.name === name);
    if (first !== index)
      throw new InvalidValue(`entry ${index + 1}: has the same server as entry ${first + 1}; give another`);
  }
  return urls;
}

function parseCheckUrl(text: string): CheckUrl {
  if (/^http:/i.test(text)) {
    throw new InvalidValue(
      "is plain HTTP, where anybody on the way can change the answer; it must begin with https://",
    );
  }
  if (!/^https:\/\//i.test(text)) throw new InvalidValue("is not an https:// URL");
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes("\\"))
    throw new InvalidValue("holds a character that no URL has");
  if (text.includes("#")) throw new InvalidValue("has a fragment, which is never sent; leave it out");
  if (/^https:\/\/[^/?]*@/i.test(text))
    throw new InvalidValue("holds a user name or a password; give a URL that needs none");
  const [, authorityText = "", rest = "/"] = /^https:\/\/([^/?]*)(.+)?$/i.exec(text) ?? [];
  const written = splitHttpsAuthority(authorityText);
  if (written === undefined || written.host === "") throw new InvalidValue("has no host");
  const endpoint = readHttpsAuthority(written);
  const url = httpsUrl(endpoint);
  return {
    origin: { url, ...endpoint },
    target: rest.startsWith("?") ? `/${rest}` : rest,
    name: url.slice("https://".length),
  };
}

// Read by the functions that the way out reads them by.

/**
 * An address of this machine to leave from. Whether it has it is found out at start.
 * @throws InvalidValue
 */
export function parseEgressAddress(text: string): string {
  const { address, wrong } = parseLocalAddress(text);
  if (address === undefined) throw new InvalidValue(`${quote(text)} ${wrong}`);
  return address;
}

/** @throws InvalidValue that quotes nothing: the value may hold a password */
export function parseEgressProxy(text: string): EgressProxy {
  const { proxy, wrong } = parseProxyUrl(withoutLineEnd(text));
  if (proxy === undefined) throw new InvalidValue(wrong);
  return proxy;
}

/** What apps may be given: `HEAD` is not `GET` to the table, and the others ask for no operation (or, TRACE, would send the token back). */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Further operations that apps may call: comma list of `METHOD /path/{param}`. A path is
 * read by the same function that the table of operations reads it by; what a `{param}` may
 * stand for is checked with each request.
 * @throws InvalidValue
 */
export function parseOperations(text: string): Operation[] {
  return parseList(text, parseOperation, whatMatches);
}

/** Parameters by any name match the same paths. */
function whatMatches(operation: Operation): string {
  const read = readTemplate(operation.template);
  return `${operation.method} ${read.ok ? read.template.pieces.join("{}") : operation.template}`;
}

function parseOperation(text: string): Operation {
  const [, method, template] = /^(\S+)[ \t]+(\S+)$/.exec(text) ?? [];
  if (method === undefined || template === undefined) {
    throw new InvalidValue(`${quote(text)} is not a method and a path`);
  }
  if (!methods.includes(method))
    throw new InvalidValue(`${quote(text)} has a method other than ${methods.join(", ")}`);
  const read = readTemplate(template);
  if (!read.ok) throw new InvalidValue(`${quote(text)} is refused: ${read.fault}`);
  const operation = { name: `${method} ${template}`, method, template, movesMoney: method !== "GET" };
  if (walletOperations.some((known) => whatMatches(known) === whatMatches(operation))) {
    throw new InvalidValue(`${quote(text)} is allowed without being listed; remove it`);
  }
  return operation;
}
