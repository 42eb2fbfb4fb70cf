import type { CheckUrl } from "../egress-ip/check-url.ts";
import { authorityOf, canonicalHost } from "../lib/host.ts";
import { type Network, parseNetwork } from "../lib/ip.ts";
import { parseList } from "./list.ts";
import { quote, RefusedValue } from "./refused-value.ts";

/**
 * Registered addresses: IPv4 and IPv6, single ones and CIDRs.
 * @throws RefusedValue
 */
export function parseEgressIps(text: string): Network[] {
  return parseList(
    text,
    (entry) => {
      const { network, wrong } = parseNetwork(entry);
      if (network === undefined) throw new RefusedValue(`${quote(entry)} ${wrong}`);
      return network;
    },
    (network) => network.text,
  );
}

/**
 * URLs of servers that answer with the caller's address. Two on one server are refused: they
 * would be one witness that is counted twice. No value is shown: a query may hold a key.
 * @throws RefusedValue
 */
export function parseCheckUrls(text: string): CheckUrl[] {
  const urls = parseList(text, parseCheckUrl);
  for (const [index, { name }] of urls.entries()) {
    const first = urls.findIndex((other) => other.name === name);
    if (first !== index)
      throw new RefusedValue(`entry ${index + 1}: has the same server as entry ${first + 1}; give another`);
  }
  return urls;
}

const urlParts = /^https:\/\/(\[[^\]]*\]|[^:/?#[\]]*)(?::(\d{1,5}))?([/?].*)?$/i;

function parseCheckUrl(text: string): CheckUrl {
  if (/^http:/i.test(text)) {
    throw new RefusedValue(
      "is plain HTTP, where anybody on the way can change the answer; it must begin with https://",
    );
  }
  if (!/^https:\/\//i.test(text)) throw new RefusedValue("is not an https:// URL");
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes("\\"))
    throw new RefusedValue("holds a character that no URL has");
  if (text.includes("#")) throw new RefusedValue("has a fragment, which is never sent; leave it out");
  if (/^https:\/\/[^/?]*@/i.test(text))
    throw new RefusedValue("holds a user name or a password; give a URL that needs none");
  const [, hostText = "", portText, rest = "/"] = urlParts.exec(text) ?? [];
  if (hostText === "") throw new RefusedValue("has no host");
  const host = canonicalHost(hostText);
  if (host === undefined) throw new RefusedValue("has no valid host name (or has one that is written oddly)");
  const port = portText === undefined ? 443 : Number(portText);
  if (port < 1 || port > 65_535) throw new RefusedValue("has a port that does not exist");
  const authority = authorityOf({ host, port });
  const name = port === 443 ? authority.slice(0, -":443".length) : authority;
  return {
    origin: { url: `https://${name}`, host, port },
    target: rest.startsWith("?") ? `/${rest}` : rest,
    name,
  };
}
