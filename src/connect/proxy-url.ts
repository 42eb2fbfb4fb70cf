import { CommandError, systemCode } from "../errors.ts";
import { type BoundedRead, readBounded } from "../files/io.ts";
import {
  authorityOf,
  canonicalHost,
  type Endpoint,
  isHostForm,
  parsePort,
  splitAuthority,
} from "../lib/host.ts";
import { Secret, withoutLineEnd } from "../secret.ts";

/** Whom an egress proxy lets through. Both are secrets: the user's name is often half of the password. */
export interface ProxyLogin {
  readonly user: Secret;
  readonly password: Secret;
}

/** An egress proxy: `http` and `https` speak CONNECT (RFC 9110 section 9.3.6), the latter over TLS of its own; `socks5` is RFC 1928. */
export interface EgressProxy extends Endpoint {
  readonly kind: "http" | "https" | "socks5";
  readonly login: ProxyLogin | undefined;
}

/** Either a proxy, or what is wrong with its text, as the rest of a sentence that begins with the text's name. It never quotes the text, which holds a password. */
export type ParsedProxy =
  | { readonly proxy: EgressProxy; readonly wrong?: undefined }
  | { readonly proxy?: undefined; readonly wrong: string };

const kinds: Readonly<Record<string, EgressProxy["kind"]>> = {
  http: "http",
  https: "https",
  socks5: "socks5",
};

/** Scheme, user and password, host with its port. */
const proxyText = /^([^/@]*):\/\/(?:(.*)@)?([^@]*)$/s;

/**
 * Reads `http://[user:password@]host:port`, `https://…` or `socks5://…`. The port must be
 * written: 80, 443, 1080, 3128 and 8080 are all somebody's default. User and password are
 * percent-decoded, as UTF-8 (RFC 3986 section 2.1).
 *
 * Not by `new URL`, which drops a port that is the scheme's own and takes much for a host.
 */
export function parseProxyUrl(text: string): ParsedProxy {
  const [, scheme = "", userInfo, rest = ""] = proxyText.exec(text) ?? [];
  const { host: hostText, port: portText } = splitAuthority(rest.replace(/(:\d*)\/$/, "$1"));
  const kind = Object.hasOwn(kinds, scheme.toLowerCase()) ? kinds[scheme.toLowerCase()] : undefined;
  if (kind === undefined || !isHostForm(hostText)) return { wrong: schemeFault(text) };
  if (userInfo !== undefined && /[/?#\s]/.test(userInfo))
    return {
      wrong: "has a character in its user or password that must be percent-encoded (/ is %2F, @ is %40)",
    };
  if (/[/?#]/.test(hostText)) return { wrong: "has a path, a query or a fragment; end it with the port" };
  if (hostText.endsWith(".")) return { wrong: "has a host name that ends with a dot; leave the dot out" };
  const host = canonicalHost(hostText);
  if (host === undefined)
    return {
      wrong: "has no valid host name (an IPv6 address stands in brackets), or one that is written oddly",
    };
  if (portText === undefined || portText === "")
    return { wrong: "has no port; write it after the host, as :3128" };
  const port = parsePort(portText);
  if (port === undefined) return { wrong: "has a port that does not exist" };
  if (userInfo === undefined) return { proxy: { kind, host, port, login: undefined } };
  const login = parseLogin(userInfo, kind);
  return typeof login === "string" ? { wrong: login } : { proxy: { kind, host, port, login } };
}

function schemeFault(text: string): string {
  if (/^socks5h:/i.test(text))
    return "has the scheme socks5h; write socks5, which has names resolved at the far side already";
  if (/^socks/i.test(text))
    return "has a SOCKS scheme other than socks5; version 5 is the only one that is spoken";
  return "is none of http://host:port, https://host:port and socks5://host:port";
}

/** The longest user and password of RFC 1929. */
const longest = 255;

/** @returns what is wrong, where something is */
function parseLogin(userInfo: string, kind: EgressProxy["kind"]): ProxyLogin | string {
  const colon = userInfo.indexOf(":");
  const user = percentDecoded(colon === -1 ? userInfo : userInfo.slice(0, colon));
  const password = percentDecoded(colon === -1 ? "" : userInfo.slice(colon + 1));
  if (user === undefined || password === undefined)
    return "has a percent sign in its user or password that begins no UTF-8 character; write % itself as %25";
  if (/\p{Cc}/u.test(user + password)) return "has a control character in its user or password";
  if (user === "") return "has an @ and no user before it";
  // RFC 7617 section 2: a colon would end the user's name.
  if (kind !== "socks5" && user.includes(":"))
    return "has a colon in its user, which basic credentials can't have";
  if (kind === "socks5" && [user, password].some((part) => part === "" || Buffer.byteLength(part) > longest))
    return `has a user or a password that is empty or longer than ${longest} bytes, which SOCKS5 can't have`;
  return { user: new Secret(user), password: new Secret(password) };
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** For people: `http://proxy.example:3128`, without user and password. */
export function describeProxy(proxy: EgressProxy): string {
  return `${proxy.kind}://${authorityOf(proxy)}`;
}

/** An egress proxy given by value, or by the path of a file that is read again when it changes. */
export type ProxySource =
  | { readonly kind: "value"; readonly proxy: EgressProxy }
  | { readonly kind: "file"; readonly path: string };

/** Bytes. A path given by mistake is not read whole. */
const maxBytes = 8 * 1024;

/**
 * Reads the egress proxy afresh.
 * @throws CommandError `configuration` that says what is wrong with the file, and quotes nothing of it
 */
export async function readProxy(source: ProxySource): Promise<EgressProxy> {
  if (source.kind === "value") return source.proxy;
  const { path } = source;
  let read: BoundedRead;
  try {
    read = await readBounded(path, { maxBytes, followLink: true });
  } catch (error) {
    throw refused(
      `${path} can't be read (${systemCode(error) ?? "unknown cause"}); see that the user of this process may`,
      error,
    );
  }
  switch (read.kind) {
    case "absent":
      throw refused(`${path} is not there; put the egress proxy's URL into it`);
    case "link":
    case "not-a-file":
      throw refused(`${path} is not a regular file; name one that holds the egress proxy's URL`);
    case "too-large":
      throw refused(
        `${path} is larger than ${maxBytes} bytes; name a file that holds the egress proxy's URL and nothing else`,
      );
    case "content": {
      // Such files may be mounts, owned and readable as the platform likes. But who may write it chooses the proxy.
      if ((read.mode & 0o022) !== 0)
        throw refused(`${path} may be written by its group or by others; run: chmod go-w ${path}`);
      const { proxy, wrong } = parseProxyUrl(withoutLineEnd(read.bytes.toString("utf8")));
      if (proxy === undefined) throw refused(`what ${path} holds ${wrong}`);
      return proxy;
    }
  }
}

function refused(what: string, cause?: unknown): CommandError {
  return new CommandError("configuration", `PRESTO_EGRESS_PROXY_FILE: ${what}`, cause);
}
