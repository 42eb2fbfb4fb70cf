import { type Dispatcher, Pool } from "undici";

import type { Clock } from "../clock.ts";
import type { Connector } from "../connect/connector.ts";
import type { Origin } from "../lib/host.ts";

export interface PoolOptions {
  readonly origin: Origin;
  readonly connector: Connector;
  /** Most connections at a time: as many as calls may be in flight, so that none waits for another's. */
  readonly connections: number;
  /** Longest exchange, milliseconds. Each call has a deadline of its own; this is the net below it. */
  readonly timeoutMs: number;
}

/**
 * Connections to the one origin: HTTP/1.1, one exchange at a time on each, no redirects,
 * no retries. An idle one is given up after 4 s, or 2 s before the end that the server's
 * `Keep-Alive: timeout` names, so that no call is sent on a connection about to be closed.
 *
 * A connection in use lives as long as its pool: see `createRenewedPool`. undici's `clientTtl`
 * is not used, for it reads the clock once for each busy connection that a call passes over.
 */
export function createPool(options: PoolOptions): Pool {
  return new Pool(options.origin.url, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
    keepAliveTimeoutThreshold: 2_000,
    headersTimeout: options.timeoutMs + 1_000,
    bodyTimeout: options.timeoutMs + 1_000,
    maxHeaderSize: 32 * 1024,
    // What stands for the attempt is handed back so that undici can give it up when no request waits for it any more.
    connect: (_options, callback) =>
      options.connector.connect((error, socket) => {
        if (error !== null) callback(error, null);
        else if (socket !== null) callback(null, socket);
      }),
  });
}

/** Opens pools of one connection each, for requests that go over a connection of their own. */
export function createPoolOpener(options: Omit<PoolOptions, "connections">): () => Pool {
  return () => createPool({ ...options, connections: 1 });
}

export interface RotatingPoolOptions extends PoolOptions {
  readonly clock: Clock;
}

export interface RotatingPool extends Pick<Dispatcher, "dispatch"> {
  /** What is sent from now on goes over new connections; calls under way end on theirs. */
  rotate(): void;
  /** Cuts off all that is under way. */
  destroy(): Promise<void>;
}

/** New connections at least this often, so that a changed address of Presto's name, or another way there, is noticed. */
const lifeMs = 5 * 60_000;

/**
 * A pool for a process that runs for months: after five minutes the next call finds a new
 * one, and the old one is closed once the calls that it has are over.
 */
export function createRotatingPool(options: RotatingPoolOptions): RotatingPool {
  const { clock } = options;
  let current = createPool(options);
  let bornAt = clock.monotonic();
  const closing = new Set<Pool>();

  function renew(): void {
    const old = current;
    current = createPool(options);
    bornAt = clock.monotonic();
    closing.add(old);
    const forget = (): void => void closing.delete(old);
    old.close().then(forget, forget);
  }

  return {
    rotate: renew,
    dispatch(request, handler) {
      if (clock.monotonic() - bornAt >= lifeMs) renew();
      return current.dispatch(request, handler);
    },
    async destroy() {
      await Promise.all([current, ...closing].map((pool) => pool.destroy()));
    },
  };
}
