import { createSecureContext } from "node:tls";

import { systemClock } from "../../src/clock.ts";
import { createConnector } from "../../src/connect/connector.ts";
import { createLookup } from "../../src/connect/lookup.ts";
import { createResolver } from "../../src/connect/resolver.ts";
import { createRoute } from "../../src/connect/route.ts";
import { ignore } from "../../src/lib/events.ts";
import { createIssuer, type Issuer, type IssueRequest } from "../../src/presto/auth.ts";
import { Secret } from "../../src/secret.ts";
import { createPoolOpener } from "../../src/upstream/connections.ts";
import type { OpenPool, RequestControl } from "../../src/upstream/request-once.ts";

export interface OwnCallOptions {
  readonly port: number;
  readonly caPem: string;
  readonly pins?: readonly string[];
  /** Milliseconds for TCP and TLS. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of the pool's own limits, which must not matter. */
  readonly poolTimeoutMs?: number;
}

/** What opens pools as the program does, over real TLS. */
export function poolOpener(options: OwnCallOptions): OpenPool {
  const { port, caPem, pins = [], connectTimeoutMs = 5_000, poolTimeoutMs = 20_000 } = options;
  const origin = { url: `https://localhost:${port}`, host: "localhost", port };
  const context = createSecureContext({ ca: caPem, minVersion: "TLSv1.2" });
  const resolver = createResolver({ lookup: createLookup(systemClock), clock: systemClock, emit: ignore });
  const connector = createConnector({
    origin,
    pins,
    anchors: { context: () => context },
    resolver,
    route: createRoute({
      localAddress: undefined,
      proxy: () => undefined,
      context: () => context,
      resolver,
      clock: systemClock,
    }),
    timeoutMs: connectTimeoutMs,
    clock: systemClock,
    emit: ignore,
  });
  return createPoolOpener({ origin, connector, timeoutMs: poolTimeoutMs, clock: systemClock });
}

export function openIssuer(options: OwnCallOptions): Issuer {
  return createIssuer({ openPool: poolOpener(options), clock: systemClock });
}

/** What a token is asked for with. */
export function requestFor(account: { readonly email: string; readonly password: string }): IssueRequest {
  const day = 24 * 60 * 60 * 1000;
  return {
    account: { email: new Secret(account.email), password: new Secret(account.password) },
    name: "flow-test",
    expiresAt: new Date(Math.ceil(Date.now() / day) * day + 90 * day),
  };
}

/** A control that lets everything happen, and a way to give the call up. */
export function freeControl(): RequestControl & { giveUp(): void } {
  const call = new AbortController();
  return { mayBegin: () => true, signal: call.signal, giveUp: () => call.abort() };
}
