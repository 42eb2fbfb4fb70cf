import { isIP, type Socket } from "node:net";

import type { Endpoint } from "../lib/host.ts";
import { addressBytes } from "../lib/ip.ts";
import { request, type Attempt } from "./attempt.ts";
import { ConnectError } from "./errors.ts";
import type { ProxyLogin } from "./proxy-url.ts";

const version = 5;
const methods = { none: 0, password: 2, noneAcceptable: 0xff } as const;
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const;

/**
 * Has a SOCKS5 proxy connect to the target (RFC 1928), which resolves the target's name itself.
 * On success the connection is one to the target.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export async function openSocksTunnel(
  socket: Socket,
  target: Endpoint,
  login: ProxyLogin | undefined,
  attempt: Attempt,
): Promise<void> {
  attempt.stage = waitingFor("its choice of a method");
  const offered: number[] = login === undefined ? [methods.none] : [methods.none, methods.password];
  const method = await request(
    socket,
    Buffer.from([version, offered.length, ...offered]),
    readMethod,
    attempt,
  );
  if (method === methods.password && login !== undefined) {
    attempt.stage = waitingFor("its word on user and password");
    const status = await request(socket, loginRequest(login), readLoginStatus, attempt);
    if (status !== 0)
      throw refused("refused the user and password of PRESTO_EGRESS_PROXY", "proxy_configuration_error");
  } else if (method !== methods.none) {
    throw refused(
      login === undefined
        ? "does not let anybody in without a user and a password, and PRESTO_EGRESS_PROXY has none"
        : "accepts none of the methods that PRESTO_EGRESS_PROXY allows (no authentication, user and password)",
      "proxy_configuration_error",
    );
  }
  attempt.stage = waitingFor("its reply to the request");
  const reply = await request(socket, connectRequest(target), readReply, attempt);
  if (reply !== 0) throw replyError(reply);
}

function waitingFor(what: string): Attempt["stage"] {
  return {
    waitsFor: `the egress proxy did not give ${what}`,
    place: "egress-proxy",
    proxyStatus: "connection_timeout",
  };
}

/** RFC 1929 section 2. */
function loginRequest({ user, password }: ProxyLogin): Buffer {
  return Buffer.concat([Buffer.from([1]), counted(user.reveal()), counted(password.reveal())]);
}

/** RFC 1928 section 4. */
function connectRequest({ host, port }: Endpoint): Buffer {
  const family = isIP(host);
  const address =
    family === 0
      ? [Buffer.from([addressTypes.name]), counted(host)]
      : [Buffer.from([family === 4 ? addressTypes.ipv4 : addressTypes.ipv6]), addressBytes(host)];
  return Buffer.concat([Buffer.from([version, 1, 0]), ...address, Buffer.from([port >> 8, port & 0xff])]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function readMethod(bytes: Buffer): number | undefined {
  const [said, method] = bytes;
  if (said !== version || bytes.length > 2) throw malformed();
  return method;
}

/** RFC 1929 section 2 says version 1. Proxies that answer with the 5 of RFC 1928 are common; nothing else could be meant. */
function readLoginStatus(bytes: Buffer): number | undefined {
  const [said, status] = bytes;
  if ((said !== 1 && said !== version) || bytes.length > 2) throw malformed();
  return status;
}

/** The reply's code; of a success only once the whole reply has come, and nothing behind it: a TLS server speaks second. */
function readReply(bytes: Buffer): number | undefined {
  const [said, reply, , type, nameLength] = bytes;
  if (said !== version) throw malformed();
  if (reply !== 0) return reply;
  if (type === undefined) return undefined;
  const length = addressLength(type, nameLength);
  if (length === undefined) return undefined;
  const whole = 4 + length + 2;
  if (bytes.length > whole) throw malformed();
  return bytes.length === whole ? reply : undefined;
}

function addressLength(type: number, nameLength: number | undefined): number | undefined {
  if (type === addressTypes.ipv4) return 4;
  if (type === addressTypes.ipv6) return 16;
  if (type !== addressTypes.name) throw malformed();
  return nameLength === undefined ? undefined : 1 + nameLength;
}

/** RFC 1928 section 6, in its own words. */
const replies: Readonly<Record<number, readonly [name: string, proxyStatus: string]>> = {
  1: ["general SOCKS server failure", "destination_unavailable"],
  2: ["connection not allowed by ruleset", "destination_ip_prohibited"],
  3: ["Network unreachable", "destination_ip_unroutable"],
  4: ["Host unreachable", "destination_ip_unroutable"],
  5: ["Connection refused", "connection_refused"],
  6: ["TTL expired", "connection_timeout"],
  7: ["Command not supported", "proxy_configuration_error"],
  8: ["Address type not supported", "proxy_configuration_error"],
};

function replyError(reply: number): ConnectError {
  const [name, proxyStatus] = replies[reply] ?? ["unassigned", "destination_unavailable"];
  return refused(`could not connect to Presto (SOCKS reply ${reply}: ${name})`, proxyStatus);
}

function refused(what: string, proxyStatus: string): ConnectError {
  return new ConnectError("unreachable", `the egress proxy ${what}`, proxyStatus, undefined, "egress-proxy");
}

function malformed(): ConnectError {
  return refused(
    "does not speak SOCKS5: its answer is malformed; is the scheme in PRESTO_EGRESS_PROXY right?",
    "proxy_configuration_error",
  );
}
