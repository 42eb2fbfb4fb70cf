import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { checkServerIdentity, type SecureContext } from "node:tls";

import type { Clock } from "../clock.ts";
import { ignore } from "../lib/events.ts";
import type { Endpoint } from "../lib/host.ts";
import { type Attempt, runAttempt } from "./attempt.ts";
import type { ConnectError } from "./errors.ts";
import { createLookup } from "./lookup.ts";
import { createResolver } from "./resolver.ts";
import { openTcp } from "./tcp.ts";
import { startTls } from "./tls.ts";

/** How a server proves who it is. */
export interface DirectTls {
  /** Asked for each connection: another one where the CA, or our certificate, has changed. */
  readonly context: () => SecureContext;
  /** The name that its certificate must have. */
  readonly serverName: string;
}

export interface DirectOptions {
  readonly server: Endpoint;
  /** Undefined: plain TCP, which whoever reads the configuration allows for this machine alone. */
  readonly tls: DirectTls | undefined;
  /** Everything until the connection is up, milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Makes the connections to a server that is not Presto. */
export interface DirectConnector {
  /**
   * Looks the name up anew, each time. `done` is called once, and not at all for an attempt that was given up.
   * @returns a stream that stands for the attempt, which is given up by destroying it while it is not done
   */
  connect(done: (error: ConnectError | null, socket: Socket | null) => void): Writable;
  /** Ends the watching of the name. Connections that are up stay. */
  close(): void;
}

/**
 * Connections that take none of Presto's way, as those to a store: straight, from the address that
 * the system chooses, with a trust of their own and no pins. TLS is verified all the same.
 */
export function createDirectConnector(options: DirectOptions): DirectConnector {
  const { server, tls, timeoutMs, clock } = options;
  const resolver = createResolver({ lookup: createLookup(clock), clock, emit: ignore });

  async function open(attempt: Attempt): Promise<Socket> {
    const socket = await openTcp(server, { localAddress: undefined, resolver, clock }, attempt);
    if (tls === undefined) return socket;
    const { serverName } = tls;
    attempt.stage = { waitsFor: "TLS was not up", place: "presto", proxyStatus: "connection_timeout" };
    return startTls(
      {
        socket,
        clock,
        host: serverName,
        context: tls.context(),
        verify: (certificate) => checkServerIdentity(serverName, certificate),
      },
      attempt,
    );
  }

  return {
    connect: (done) => runAttempt({ timeoutMs, clock, resolver }, open, done),
    close: resolver.close,
  };
}
