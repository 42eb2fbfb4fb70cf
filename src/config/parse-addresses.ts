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
import { withoutLineEnd } from "../secret.ts";
import { InvalidValue, parseList, quote } from "./parse.ts";

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

// Read by the functions that egress reads them by.

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
