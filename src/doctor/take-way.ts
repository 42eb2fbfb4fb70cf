import { isIP } from "node:net";

import type { Clock } from "../clock.ts";
import { type Egress, openEgress } from "../connect/open.ts";
import { readGateway } from "../connect/proxy-url.ts";
import { createRoute } from "../connect/route.ts";
import { ensureLocalAddress, resolveName } from "../connect/tcp.ts";
import { createTrustAnchors } from "../connect/tls.ts";
import { noSignals } from "../observe/events.ts";
import type { UpstreamFacts } from "./doctor-options.ts";
import { type Tried, tryUntil } from "./tried.ts";
import { type TriedConnection, tryConnection } from "./try-connection.ts";
import type { WayOutFacts } from "./way-out-facts.ts";

export interface WayOptions {
  readonly upstream: UpstreamFacts;
  readonly clock: Clock;
  /** Aborted when time is over. */
  readonly stop: AbortSignal;
}

/** What the way out is made of, each part as far as it can be used. */
export type WayParts = Pick<WayOutFacts, "localAddress" | "gateway" | "anchors">;

/** Reads what the way out is made of: each part by itself, so that each fault is found. Never rejects. */
export async function readWayParts({ upstream, stop }: WayOptions): Promise<WayParts> {
  const { trust, wayOut } = upstream;
  const { localAddress: local, gateway: source } = wayOut;
  const [localAddress, gateway, anchors] = await Promise.all([
    local === undefined ? undefined : tryUntil(stop, () => ensureLocalAddress(local)),
    source === undefined ? undefined : tryUntil(stop, () => readGateway(source)),
    tryUntil(stop, () => createTrustAnchors(trust)),
  ]);
  return { localAddress, gateway, anchors };
}

/** Looks Presto's name up, where this machine does that. @returns undefined where there is none to look up */
export async function tryName({
  upstream,
  clock,
  stop,
}: WayOptions): Promise<Tried<readonly string[]> | undefined> {
  const { origin, wayOut, connectTimeoutMs } = upstream;
  if (wayOut.gateway !== undefined || isIP(origin.host) !== 0) return undefined;
  const late = new AbortController();
  const timer = clock.after(connectTimeoutMs, () => late.abort());
  const tried = await tryUntil(AbortSignal.any([stop, late.signal]), () =>
    resolveName(origin.host, wayOut.localAddress),
  );
  timer.cancel();
  return tried;
}

/** Makes a connection step by step. @returns undefined where what it begins with can't be used */
export async function tryWay(
  { localAddress, gateway, anchors }: WayParts,
  { upstream, clock, stop }: WayOptions,
): Promise<Tried<TriedConnection> | undefined> {
  if (!isUsable(localAddress) || !isUsable(gateway)) return undefined;
  // A proxy's own certificate is judged by the same CAs as Presto's.
  const overTls = gateway?.kind === "done" && gateway.value.kind === "https";
  if (overTls && !isUsable(anchors)) return undefined;
  const { origin, trust, wayOut, connectTimeoutMs: timeoutMs } = upstream;
  const trusted = anchors.kind === "done" ? anchors.value : undefined;
  const route = createRoute({
    localAddress: wayOut.localAddress,
    gateway: () => (gateway?.kind === "done" ? gateway.value : undefined),
    context: () => (trusted ?? createTrustAnchors(trust)).context(),
    clock,
  });
  return tryUntil(stop, () => tryConnection({ origin, route, anchors: trusted, timeoutMs, clock, stop }));
}

/** The way out as the sidecar opens it; undefined where a part of it can't be used, which is told of that part. */
export async function openWholeWay(
  { localAddress, gateway, anchors }: WayParts,
  { upstream, clock, stop }: WayOptions,
): Promise<Egress | undefined> {
  if (![localAddress, gateway, anchors].every(isUsable)) return undefined;
  const tried = await tryUntil(stop, () => openEgress(upstream, { clock, signals: noSignals }));
  return tried.kind === "done" ? tried.value : undefined;
}

function isUsable(tried: Tried<unknown> | undefined): boolean {
  return tried === undefined || tried.kind === "done";
}

/** Would the sidecar send over such a connection? */
export function isTrusted(connection: Tried<TriedConnection> | undefined, pins: readonly string[]): boolean {
  if (connection?.kind !== "done" || connection.value.kind !== "routed") return false;
  const { tls } = connection.value;
  return tls.kind === "up" && (pins.length === 0 || pins.includes(tls.certificate?.pin ?? ""));
}
