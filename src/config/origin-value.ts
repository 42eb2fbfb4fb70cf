import { canonicalHost, isLoopbackHost, type Origin } from "../lib/host.ts";
import { parseList } from "./list.ts";
import { quote, RefusedValue } from "./refused-value.ts";

const originText = /^https:\/\/(\[[^\]]*\]|[^:/[\]]*)(?::(\d{1,5}))?\/?$/i;

/**
 * The origin that calls go to. The value is never shown in a message: people put
 * passwords into URLs.
 * @throws RefusedValue
 */
export function parseOrigin(text: string): Origin {
  if (/^http:/i.test(text)) throw new RefusedValue("is plain HTTP; it must begin with https://");
  if (!/^https:\/\//i.test(text)) throw new RefusedValue("is not an https:// URL");
  const rest = text.slice("https://".length);
  if (rest.includes("@")) throw new RefusedValue("holds a user name or a password; give the origin alone");
  if (/[?#]/.test(rest)) throw new RefusedValue("has a query or a fragment; give the origin alone");
  if (/^[^/]*\/./.test(rest)) throw new RefusedValue("has a path; give the origin alone");
  const [, hostText = "", portText] = originText.exec(text) ?? [];
  const host = canonicalHost(hostText);
  if (host === undefined) throw new RefusedValue("has no valid host name (or has one that is written oddly)");
  const port = portText === undefined ? 443 : Number(portText);
  if (port < 1 || port > 65_535) throw new RefusedValue("has a port that does not exist");
  if (port !== 443 && !isLoopbackHost(host)) {
    throw new RefusedValue("has a port other than 443, which only a loopback host may have (the sandbox)");
  }
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return { url: `https://${bracketed}${port === 443 ? "" : `:${port}`}`, host, port };
}

/**
 * Further names that callers may put into `Host`.
 * @returns lower case; IPv6 addresses without brackets
 */
export function parseHosts(text: string): string[] {
  return parseList(text, parseHost, (host) => host);
}

function parseHost(text: string): string {
  if (text.includes("*")) throw new RefusedValue(`${quote(text)} has a wildcard; name each host`);
  if (text.includes("/"))
    throw new RefusedValue(`${quote(text)} is not a host name; leave out the scheme and the path`);
  if (/^(?:\[.*\]|[^:]*):\d*$/.test(text))
    throw new RefusedValue(`${quote(text)} has a port; leave it out, any port is accepted`);
  const host = canonicalHost(text);
  if (host === undefined) throw new RefusedValue(`${quote(text)} is not a host name`);
  return host;
}
