import { tokenCharacters } from "./target.ts";

/** Which fields never pass, and why. All names in lower case. */

/**
 * Meant for one connection only (RFC 9110 section 7.6.1, and RFC 2616 section 13.5.1 for
 * `Keep-Alive`, `Proxy-Connection` and the like), or about the framing, which is made anew.
 */
const ofOneConnection = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "trailers",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "content-length",
];

/** Fields that a request brings, and that are made anew or must not be believed. */
const ofCallers = [
  // Made anew for the exchange with Presto.
  "host",
  "expect",
  "x-request-id",
  // The call carries our credentials, and no others.
  "authorization",
  "cookie",
  "cookie2",
  // Tracing is off: these would tell Presto of our own systems.
  "traceparent",
  "tracestate",
  "baggage",
  "via",
  // Where the caller is; Presto lets in registered addresses, and must not be told others.
  "forwarded",
  "x-forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-client-addr",
  "x-cluster-client-ip",
  "client-ip",
  "true-client-ip",
  "x-true-client-ip",
  "x-originating-ip",
  "x-original-forwarded-for",
  "x-original-remote-addr",
  "x-proxyuser-ip",
  "x-remote-ip",
  "x-remote-addr",
  "remote-addr",
  "x-envoy-external-address",
  "x-azure-clientip",
  "x-azure-socketip",
  "x-appengine-user-ip",
  "x-nf-client-connection-ip",
  "x-vercel-forwarded-for",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-pseudo-ipv4",
  "fastly-client-ip",
  "fly-client-ip",
  "do-connecting-ip",
  "wl-proxy-client-ip",
  // What some servers and frameworks take for the method, the host or the path: with them a
  // call that was judged could turn into another one.
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-method",
  "x-original-url",
  "x-original-uri",
  "x-original-path",
  "x-original-host",
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-rewrite-url",
  "x-rewrite-uri",
  "x-override-url",
  "x-request-uri",
  "x-http-destinationurl",
  "x-http-host-override",
  "x-host",
  "x-host-override",
  "x-scheme",
  "x-url-scheme",
  "x-script-name",
  "script-name",
  "request-uri",
  "base-url",
  "front-end-https",
  // CGI hands it to the server's own programs as HTTP_PROXY (CVE-2016-5385).
  "proxy",
  // Ours, and never Presto's.
  "presto-outcome",
  "presto-transaction",
  "presto-control",
];

/** Fields that a reply brings, and that hold for Presto's name or for browsers, or are ours to set. */
const ofReplies = [
  // No caller keeps a session with Presto: one app's cookie would be sent with the next one's call.
  "set-cookie",
  "set-cookie2",
  // Would have the caller go round the sidecar, or ask for TLS on loopback.
  "alt-svc",
  "strict-transport-security",
  "public-key-pins",
  "refresh",
  // What the sidecar alone may say of a call.
  "presto-outcome",
  "presto-transaction",
  "x-request-id",
];

const droppedFromRequests = createNameSet([...ofOneConnection, ...ofCallers]);
const droppedFromReplies = createNameSet([...ofOneConnection, ...ofReplies]);

/**
 * A set of names for looking up strings that the parser has just made. A Set must hash each of
 * them, which is most of the cost of a look-up; nearly every name is told to be absent by its
 * length and first letter alone.
 */
function createNameSet(names: readonly string[]): { has(lower: string): boolean } {
  const longest = Math.max(...names.map((name) => name.length));
  const firstLetters = new Uint32Array(longest + 1);
  const firstLetter = (name: string): number => 1 << (name.charCodeAt(0) & 31);
  for (const name of names) {
    firstLetters[name.length] = (firstLetters[name.length] ?? 0) | firstLetter(name);
  }
  const set = new Set(names);
  return {
    has: (lower) => ((firstLetters[lower.length] ?? 0) & firstLetter(lower)) !== 0 && set.has(lower),
  };
}

/** RFC 9110 section 5.1 makes names of tokens; the underscore is taken out of them below. */
const underscore = 0x5f;

/**
 * Is it a token without an underscore? Many servers read `X_Real_IP` as `X-Real-IP` (CGI, WSGI
 * and PHP make one variable of both), so that it would pass by every list of names.
 */
function isPlainName(lower: string): boolean {
  for (let at = 0; at < lower.length; at += 1) {
    const code = lower.charCodeAt(at);
    if (tokenCharacters[code] !== 1 || code === underscore) return false;
  }
  return lower !== "";
}

/** May a caller's field of this name (in lower case) go to Presto, as long as `Connection` does not name it? */
export function passesToPresto(lower: string): boolean {
  if (droppedFromRequests.has(lower) || lower.startsWith("x-forwarded-")) return false;
  // Every field that begins so is between a client and its proxy, or tells of one.
  return isPlainName(lower) && !lower.startsWith("proxy-");
}

/**
 * May Presto's field of this name (in lower case) go to the caller, as long as `Connection`
 * does not name it? `Proxy-Status` may not: it tells the caller that the sidecar made the reply.
 */
export function passesToCaller(lower: string): boolean {
  return !droppedFromReplies.has(lower) && isPlainName(lower) && !lower.startsWith("proxy-");
}
