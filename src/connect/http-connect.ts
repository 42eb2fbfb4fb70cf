import type { Socket } from "node:net";

import { authorityOf, type Endpoint } from "../lib/host.ts";
import { request, type Attempt } from "./attempt.ts";
import { ConnectError } from "./errors.ts";
import type { ProxyLogin } from "./proxy-url.ts";

/** Bytes of an answer's head, interim answers included. */
const largestHead = 8 * 1024;

/**
 * Has an HTTP proxy open a tunnel (RFC 9110 section 9.3.6): on success the connection is one
 * to the target. User and password go to the proxy alone.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export async function openHttpTunnel(
  socket: Socket,
  target: Endpoint,
  login: ProxyLogin | undefined,
  attempt: Attempt,
): Promise<void> {
  attempt.stage = {
    waitsFor: "the egress proxy did not answer CONNECT",
    place: "egress-proxy",
    proxyStatus: "connection_timeout",
  };
  const authority = authorityOf(target);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (login !== undefined) lines.push(`Proxy-Authorization: Basic ${basicCredentials(login)}`);
  const response = await request(socket, `${lines.join("\r\n")}\r\n\r\n`, readResponse, attempt);
  if (response.status < 200 || response.status > 299) throw refusal(response, login !== undefined);
}

/** RFC 7617 section 2, in UTF-8. */
function basicCredentials({ user, password }: ProxyLogin): string {
  return Buffer.from(`${user.reveal()}:${password.reveal()}`, "utf8").toString("base64");
}

const statusLine = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n\0]*)?$/;
const fieldLine = /^[!#$%&'*+.^_`|~\dA-Za-z-]+:[^\r\n\0]*$/;

/** What an answer to CONNECT says. */
interface TunnelResponse {
  readonly status: number;
  /** As they came, without interim answers'. */
  readonly fields: readonly string[];
}

/** Reads a whole head; interim answers (1xx) are passed over. */
function readResponse(bytes: Buffer): TunnelResponse | undefined {
  const beginning = "HTTP/1.";
  const begun = bytes.toString("latin1", 0, beginning.length);
  if (!beginning.startsWith(begun)) throw malformed("it is not HTTP/1.1");
  let start = 0;
  for (;;) {
    const lineEnd = lineEndOf(bytes, start);
    const end = bytes.indexOf(lineEnd + lineEnd, start);
    const headEnd = end === -1 ? bytes.length : end;
    if (headEnd > largestHead) throw malformed("its head is larger than 8 KiB");
    const head = bytes.toString("latin1", start, headEnd);
    // Else a head that ends so would be waited for until time is over.
    if (lineEnd === "\n" ? head.includes("\r") : /(?<!\r)\n/.test(head))
      throw malformed("some of its lines end with LF alone");
    if (end === -1) return undefined;
    const [first = "", ...fields] = head.split(lineEnd);
    const status = Number(statusLine.exec(first)?.[1]);
    if (Number.isNaN(status) || status === 101 || !fields.every((line) => fieldLine.test(line)))
      throw malformed("its head is not one of HTTP/1.1");
    start = end + 2 * lineEnd.length;
    if (status < 200) continue;
    // A TLS server speaks second: bytes of the tunnel before we said anything are not Presto's.
    if (status < 300 && bytes.length > start) throw malformed("it goes on after its head");
    return { status, fields };
  }
}

/** Some proxies end their lines with LF alone, which may be accepted (RFC 9112 section 2.2): the first line tells for all. */
function lineEndOf(bytes: Buffer, start: number): "\n" | "\r\n" {
  const at = bytes.indexOf("\n", start);
  return at > start && bytes[at - 1] !== 0x0d ? "\n" : "\r\n";
}

function malformed(what: string): ConnectError {
  return new ConnectError(
    "unreachable",
    `the egress proxy's answer to CONNECT is malformed: ${what}; is it an HTTP proxy, and the scheme in PRESTO_EGRESS_PROXY right?`,
    "http_protocol_error",
    undefined,
    "egress-proxy",
  );
}

function refusal(response: TunnelResponse, withLogin: boolean): ConnectError {
  const [what, proxyStatus] = describeRefusal(response, withLogin);
  return new ConnectError(
    "unreachable",
    `the egress proxy ${what} (${response.status})`,
    proxyStatus,
    undefined,
    "egress-proxy",
  );
}

/** The names of the authentication schemes that are offered (RFC 9110 section 11.6.1), without what is quoted and without parameters. */
function schemesIn(fields: readonly string[]): readonly string[] {
  return fields
    .filter((line) => /^proxy-authenticate:/i.test(line))
    .map((line) => line.slice(line.indexOf(":") + 1).replaceAll(/"(?:[^"\\]|\\.)*"/g, ""))
    .flatMap((value) =>
      value
        .split(",")
        .map((part) => /^\s*([A-Za-z][A-Za-z0-9-]{0,31})(?:\s+[^=\s]|\s*$)/.exec(part)?.[1] ?? "")
        .filter((name) => name !== ""),
    );
}

function describeRefusal(
  { status, fields }: TunnelResponse,
  withLogin: boolean,
): readonly [what: string, proxyStatus: string] {
  const schemes = schemesIn(fields);
  if (status === 407 && schemes.length > 0 && !schemes.some((name) => /^basic$/i.test(name))) {
    return [
      `offers no Basic authentication, which is all that is spoken here, but ${schemes.slice(0, 4).join(", ")}`,
      "proxy_configuration_error",
    ];
  }
  switch (status) {
    // tinyproxy 1.11 answers a wrong password with 401.
    case 401:
    case 407:
      return [
        withLogin
          ? "refused the user and password of PRESTO_EGRESS_PROXY"
          : "asks for a user and a password, and PRESTO_EGRESS_PROXY has none",
        "proxy_configuration_error",
      ];
    case 403:
      return ["does not let us connect to Presto", "destination_ip_prohibited"];
    case 502:
    case 503:
      return ["could not reach Presto", "destination_unavailable"];
    case 504:
      return ["could not reach Presto in time", "connection_timeout"];
    case 405:
    case 501:
      return ["does not know CONNECT", "proxy_configuration_error"];
    default:
      return ["refused to open a tunnel", status < 500 ? "http_request_denied" : "destination_unavailable"];
  }
}
