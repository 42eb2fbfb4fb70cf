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
  const status = await request(socket, `${lines.join("\r\n")}\r\n\r\n`, readStatus, attempt);
  if (status < 200 || status > 299) throw refusal(status, login !== undefined);
}

/** RFC 7617 section 2, in UTF-8. */
function basicCredentials({ user, password }: ProxyLogin): string {
  return Buffer.from(`${user.reveal()}:${password.reveal()}`, "utf8").toString("base64");
}

const statusLine = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n\0]*)?$/;
const fieldLine = /^[!#$%&'*+.^_`|~\dA-Za-z-]+:[^\r\n\0]*$/;

/** The status of a whole head; interim answers (1xx) are passed over. */
function readStatus(bytes: Buffer): number | undefined {
  const beginning = "HTTP/1.";
  const begun = bytes.toString("latin1", 0, beginning.length);
  if (!beginning.startsWith(begun)) throw malformed("it is not HTTP/1.1");
  let start = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n", start);
    if ((end === -1 ? bytes.length : end) > largestHead) throw malformed("its head is larger than 8 KiB");
    if (end === -1) return undefined;
    const [first = "", ...fields] = bytes.toString("latin1", start, end).split("\r\n");
    const status = Number(statusLine.exec(first)?.[1]);
    if (Number.isNaN(status) || status === 101 || !fields.every((line) => fieldLine.test(line)))
      throw malformed("its head is not one of HTTP/1.1");
    start = end + 4;
    if (status < 200) continue;
    // A TLS server speaks second: bytes of the tunnel before we said anything are not Presto's.
    if (status < 300 && bytes.length > start) throw malformed("it goes on after its head");
    return status;
  }
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

function refusal(status: number, withLogin: boolean): ConnectError {
  const [what, proxyStatus] = describeRefusal(status, withLogin);
  return new ConnectError(
    "unreachable",
    `the egress proxy ${what} (${status})`,
    proxyStatus,
    undefined,
    "egress-proxy",
  );
}

function describeRefusal(status: number, withLogin: boolean): readonly [what: string, proxyStatus: string] {
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
