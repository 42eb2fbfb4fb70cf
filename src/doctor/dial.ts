import { isIP, type Socket } from "node:net";
import type { PeerCertificate } from "node:tls";

import type { Clock } from "../clock.ts";
import { type Attempt, startAttempt } from "../connect/attempt.ts";
import { ConnectError } from "../connect/errors.ts";
import { type Egress, openEgress } from "../connect/open.ts";
import { type EgressProxy, readProxy } from "../connect/proxy-url.ts";
import { createRoute, type Route } from "../connect/route.ts";
import { ensureLocalAddress, resolveName } from "../connect/tcp.ts";
import { createTrustAnchors, spkiPin, startTls, type TrustAnchors, verifyPeer } from "../connect/tls.ts";
import { onAbort } from "../lib/async.ts";
import { ignore } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { attempt, type Attempted, type UpstreamFacts } from "./finding.ts";

/** What was found out about the way to Presto. What was not tried is undefined. */
export interface RouteFacts {
  readonly upstream: UpstreamFacts;
  /** Undefined: PRESTO_EGRESS_ADDRESS is not set. */
  readonly localAddress: Attempted<void> | undefined;
  /** Undefined: there is no egress proxy. */
  readonly proxy: Attempted<EgressProxy> | undefined;
  readonly anchors: Attempted<TrustAnchors>;
  /** Undefined: it is a literal address, or resolved by the egress proxy. */
  readonly addresses: Attempted<readonly string[]> | undefined;
  /** Undefined where the local address, the egress proxy, or the CAs to judge the latter by can't be used. */
  readonly connection: Attempted<TriedConnection> | undefined;
}

export interface DialOptions {
  readonly upstream: UpstreamFacts;
  readonly clock: Clock;
  /** Aborted when time is over. */
  readonly stop: AbortSignal;
}

/** What the way out is made of, each part as far as it can be used. */
export type DialDeps = Pick<RouteFacts, "localAddress" | "proxy" | "anchors">;

/** Reads what the way out is made of: each part by itself, so that each fault is found. Never rejects. */
export async function readDialDeps({ upstream, stop }: DialOptions): Promise<DialDeps> {
  const { trust, egress } = upstream;
  const { localAddress: local, proxy: source } = egress;
  const [localAddress, proxy, anchors] = await Promise.all([
    local === undefined ? undefined : attempt(stop, () => ensureLocalAddress(local)),
    source === undefined ? undefined : attempt(stop, () => readProxy(source)),
    attempt(stop, () => createTrustAnchors(trust)),
  ]);
  return { localAddress, proxy, anchors };
}

/** Looks Presto's name up, where this machine does that. @returns undefined where there is none to look up */
export async function tryName({
  upstream,
  clock,
  stop,
}: DialOptions): Promise<Attempted<readonly string[]> | undefined> {
  const { origin, egress, connectTimeoutMs } = upstream;
  if (egress.proxy !== undefined || isIP(origin.host) !== 0) return undefined;
  const late = new AbortController();
  const timer = clock.after(connectTimeoutMs, () => late.abort());
  const tried = await attempt(AbortSignal.any([stop, late.signal]), () =>
    resolveName(origin.host, egress.localAddress),
  );
  timer.cancel();
  return tried;
}

/** Makes a connection step by step. @returns undefined where what it begins with can't be used */
export async function dialRoute(
  { localAddress, proxy, anchors }: DialDeps,
  { upstream, clock, stop }: DialOptions,
): Promise<Attempted<TriedConnection> | undefined> {
  if (!isUsable(localAddress) || !isUsable(proxy)) return undefined;
  // A proxy's own certificate is judged by the same CAs as Presto's.
  const overTls = proxy?.kind === "done" && proxy.value.kind === "https";
  if (overTls && !isUsable(anchors)) return undefined;
  const { origin, trust, egress, connectTimeoutMs: timeoutMs } = upstream;
  const trusted = anchors.kind === "done" ? anchors.value : undefined;
  const route = createRoute({
    localAddress: egress.localAddress,
    proxy: () => (proxy?.kind === "done" ? proxy.value : undefined),
    context: () => (trusted ?? createTrustAnchors(trust)).context(),
    clock,
  });
  return attempt(stop, () => tryConnection({ origin, route, anchors: trusted, timeoutMs, clock, stop }));
}

/** The way out as the sidecar opens it; undefined where a part of it can't be used, which is told of that part. */
export async function dialThrough(
  { localAddress, proxy, anchors }: DialDeps,
  { upstream, clock, stop }: DialOptions,
): Promise<Egress | undefined> {
  if (![localAddress, proxy, anchors].every(isUsable)) return undefined;
  const tried = await attempt(stop, () => openEgress(upstream, { clock, emit: ignore }));
  return tried.kind === "done" ? tried.value : undefined;
}

function isUsable(tried: Attempted<unknown> | undefined): boolean {
  return tried === undefined || tried.kind === "done";
}

/** Would the sidecar send over such a connection? */
export function isTrusted(
  connection: Attempted<TriedConnection> | undefined,
  pins: readonly string[],
): boolean {
  if (connection?.kind !== "done" || connection.value.kind !== "routed") return false;
  const { tls } = connection.value;
  return tls.kind === "up" && (pins.length === 0 || pins.includes(tls.certificate?.pin ?? ""));
}

/** What was presented by a server whose chain held. */
export interface SeenCertificate {
  /** May be no date at all, if it could not be read. */
  readonly validTo: Date;
  /** Base64 SHA-256 of its SubjectPublicKeyInfo. */
  readonly pin: string;
}

/** How far a connection came. */
export type TriedConnection =
  /** With a `ConnectError`, as a rule. */
  | { readonly kind: "no-route"; readonly error: unknown }
  | {
      readonly kind: "routed";
      /** Of this machine; undefined where the system does not say. */
      readonly localAddress: string | undefined;
      readonly tls: TriedTls;
    };

export type TriedTls =
  /** There is nobody to trust: the CA file can't be used. */
  | { readonly kind: "not-tried" }
  | { readonly kind: "failed"; readonly error: unknown; readonly certificate: SeenCertificate | undefined }
  | { readonly kind: "up"; readonly protocol: string; readonly certificate: SeenCertificate | undefined };

export interface TryConnectionOptions {
  readonly origin: Origin;
  readonly route: Route;
  readonly anchors: TrustAnchors | undefined;
  /** Everything until TLS is up, milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Gives it up. */
  readonly stop: AbortSignal;
}

/**
 * Makes a connection step by step, as the connector does, so that each step can be judged by
 * itself; pins are left to the judge. It is closed at once, and nothing is sent over it. Never rejects.
 */
export async function tryConnection(options: TryConnectionOptions): Promise<TriedConnection> {
  const { origin, route, anchors, timeoutMs, clock, stop } = options;
  const { attempt, handle, end } = startAttempt(timeoutMs, clock);
  const stopListening = onAbort(stop, () => handle.destroy());
  let carrier: Socket | undefined;
  try {
    carrier = await route.open(origin, attempt);
    const { localAddress } = carrier;
    const tls: TriedTls =
      anchors === undefined ? { kind: "not-tried" } : await tryTls(carrier, origin, anchors, attempt);
    return { kind: "routed", localAddress, tls };
  } catch (error) {
    return wasReached(error)
      ? { kind: "routed", localAddress: undefined, tls: { kind: "failed", error, certificate: undefined } }
      : { kind: "no-route", error };
  } finally {
    end();
    stopListening();
    carrier?.destroy();
  }
}

/** Whoever resets at once was there: it depends on the moment alone whether the connection was seen to be up before. */
function wasReached(error: unknown): boolean {
  return (
    error instanceof ConnectError && error.place === "presto" && error.proxyStatus === "connection_terminated"
  );
}

async function tryTls(
  carrier: Socket,
  origin: Origin,
  anchors: TrustAnchors,
  attempt: Attempt,
): Promise<TriedTls> {
  attempt.stage = { waitsFor: "TLS was not up", place: "presto", proxyStatus: "connection_timeout" };
  let certificate: SeenCertificate | undefined;
  const verify = (presented: PeerCertificate): Error | undefined => {
    certificate = { validTo: new Date(presented.valid_to), pin: spkiPin(presented.raw) };
    return verifyPeer(origin.host, presented, []);
  };
  try {
    const socket = await startTls(
      { socket: carrier, host: origin.host, context: anchors.context(), verify },
      attempt,
    );
    const protocol = socket.getProtocol() ?? "TLS";
    socket.destroy();
    return { kind: "up", protocol, certificate };
  } catch (error) {
    return { kind: "failed", error, certificate };
  }
}
