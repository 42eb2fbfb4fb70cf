import type { Socket } from "node:net";
import { checkServerIdentity, type SecureContext } from "node:tls";

import type { Endpoint } from "../lib/host.ts";
import type { Attempt } from "./attempt.ts";
import { ConnectError, onTheWayToProxy } from "./errors.ts";
import { openHttpTunnel } from "./http-connect.ts";
import { describeGateway, type Gateway } from "./proxy-url.ts";
import { openSocksTunnel } from "./socks5.ts";
import { openTcp, type TcpOptions } from "./tcp.ts";
import { startTls } from "./tls.ts";

export interface RouteOptions extends TcpOptions {
  /** The egress proxy in force, asked for each connection; answers undefined where there is none. */
  readonly gateway: () => Gateway | undefined;
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
  /** For people: `http://gateway.example:3128 from 10.0.0.2`, without user and password. */
  describe(): string;
}

export function createRoute(options: RouteOptions): Route {
  return {
    open(target, attempt) {
      const gateway = options.gateway();
      return gateway === undefined
        ? openTcp(target, options, attempt)
        : openThrough(gateway, target, options, attempt);
    },
    describe() {
      const gateway = options.gateway();
      const way = gateway === undefined ? "direct" : describeGateway(gateway);
      return options.localAddress === undefined ? way : `${way} from ${options.localAddress}`;
    },
  };
}

async function openThrough(
  gateway: Gateway,
  target: Endpoint,
  options: RouteOptions,
  attempt: Attempt,
): Promise<Socket> {
  try {
    const socket = await reach(gateway, options, attempt);
    const openTunnel = gateway.kind === "socks5" ? openSocksTunnel : openHttpTunnel;
    try {
      await openTunnel(socket, target, gateway.login, attempt);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  } catch (error) {
    throw error instanceof ConnectError ? onTheWayToProxy(error) : error;
  }
}

async function reach(gateway: Gateway, options: RouteOptions, attempt: Attempt): Promise<Socket> {
  const socket = await openTcp(gateway, options, attempt);
  if (gateway.kind !== "https") return socket;
  const { host } = gateway;
  attempt.stage = { waitsFor: "no TLS", place: "presto", proxyStatus: "connection_timeout" };
  return startTls(
    {
      socket,
      host,
      context: options.context(),
      // Pins are of Presto's key, and are looked at in the TLS within.
      verify: (certificate) => checkServerIdentity(host, certificate),
    },
    attempt,
  );
}
