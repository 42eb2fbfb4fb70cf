import type { Socket } from "node:net";
import { checkServerIdentity, type SecureContext } from "node:tls";

import type { Endpoint } from "../lib/host.ts";
import type { Attempt } from "./attempt.ts";
import { ConnectError, onTheWayToProxy } from "./errors.ts";
import { openHttpTunnel } from "./http-connect.ts";
import { describeProxy, type EgressProxy } from "./proxy-url.ts";
import { openSocksTunnel } from "./socks5.ts";
import { openTcp, type TcpOptions } from "./tcp.ts";
import { startTls } from "./tls.ts";

export interface RouteOptions extends TcpOptions {
  /** The egress proxy in force, asked for each connection; answers undefined where there is none. */
  readonly proxy: () => EgressProxy | undefined;
  /** Whom a proxy's own certificate must come from; asked only for one that is reached over TLS. */
  readonly context: () => SecureContext;
}

/** How connections leave this machine. */
export interface Route {
  /**
   * Opens a connection to a target, over which nothing was said yet.
   * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
   */
  open(target: Endpoint, attempt: Attempt): Promise<Socket>;
  /** For people: `http://proxy.example:3128 from 10.0.0.2`, without user and password. */
  describe(): string;
}

export function createRoute(options: RouteOptions): Route {
  return {
    open(target, attempt) {
      const proxy = options.proxy();
      return proxy === undefined
        ? openTcp(target, options, attempt)
        : openThrough(proxy, target, options, attempt);
    },
    describe() {
      const proxy = options.proxy();
      const way = proxy === undefined ? "direct" : describeProxy(proxy);
      return options.localAddress === undefined ? way : `${way} from ${options.localAddress}`;
    },
  };
}

async function openThrough(
  proxy: EgressProxy,
  target: Endpoint,
  options: RouteOptions,
  attempt: Attempt,
): Promise<Socket> {
  try {
    const socket = await reach(proxy, options, attempt);
    const openTunnel = proxy.kind === "socks5" ? openSocksTunnel : openHttpTunnel;
    try {
      await openTunnel(socket, target, proxy.login, attempt);
      attempt.report({ step: "tunnelled" });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  } catch (error) {
    throw error instanceof ConnectError ? onTheWayToProxy(error) : error;
  }
}

async function reach(proxy: EgressProxy, options: RouteOptions, attempt: Attempt): Promise<Socket> {
  const socket = await openTcp(proxy, options, attempt);
  if (proxy.kind !== "https") return socket;
  const { host } = proxy;
  attempt.stage = { waitsFor: "no TLS", place: "presto", proxyStatus: "connection_timeout" };
  return startTls(
    {
      socket,
      clock: options.clock,
      host,
      context: options.context(),
      // Pins are of Presto's key, and are looked at in the TLS within.
      verify: (certificate) => checkServerIdentity(host, certificate),
    },
    attempt,
  );
}
