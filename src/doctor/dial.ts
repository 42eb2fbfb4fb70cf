import { isIP } from "node:net";

import type { Clock } from "../clock.ts";
import type { ConnectStep, SeenCertificate } from "../connect/attempt.ts";
import type { Connector } from "../connect/connector.ts";
import { ConnectError } from "../connect/errors.ts";
import { ensureLocalAddress } from "../connect/local-address.ts";
import { createLookup } from "../connect/lookup.ts";
import { type Egress, openEgress } from "../connect/open.ts";
import { type EgressProxy, readProxy } from "../connect/proxy-url.ts";
import { createResolver } from "../connect/resolver.ts";
import { openTrustAnchors, type TrustAnchors } from "../connect/trust.ts";
import { systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import { ignore } from "../lib/events.ts";
import { attempt, type Attempted, type UpstreamOptions } from "./finding.ts";

/** What was found out about the way to Presto. What was not tried is undefined. */
export interface RouteResult extends RouteParts {
  readonly upstream: UpstreamOptions;
  /** Undefined: it is a literal address, or resolved by the egress proxy. */
  readonly addresses: Attempted<readonly string[]> | undefined;
  /** Undefined where the local address, the egress proxy, or the CAs to verify the latter by can't be used. */
  readonly connection: Attempted<DialResult> | undefined;
}

/** What egress is made of, each part as far as it can be used. */
export interface RouteParts {
  /** Undefined: PRESTO_EGRESS_ADDRESS is not set. */
  readonly localAddress: Attempted<void> | undefined;
  /** Undefined: there is no egress proxy. */
  readonly proxy: Attempted<EgressProxy> | undefined;
  readonly anchors: Attempted<TrustAnchors>;
}

export interface DialOptions {
  readonly upstream: UpstreamOptions;
  readonly clock: Clock;
  /** Aborted when time is over. */
  readonly stop: AbortSignal;
}

/** Reads what egress is made of: each part by itself, so that each fault is found. Never rejects. */
export async function readRouteParts({ upstream, stop }: DialOptions): Promise<RouteParts> {
  const { trust, egress } = upstream;
  const { localAddress: local, proxy: source } = egress;
  const [localAddress, proxy, anchors] = await Promise.all([
    local === undefined ? undefined : attempt(stop, () => ensureLocalAddress(local)),
    source === undefined ? undefined : attempt(stop, () => readProxy(source)),
    attempt(stop, () => openTrustAnchors(trust)),
  ]);
  return { localAddress, proxy, anchors };
}

/**
 * Egress as the sidecar opens it. A CA file that can't be used is left out: whether Presto
 * is reached can be told without it, and nothing may be sent then.
 * @returns undefined where a part of it can't be used, which is told of that part. Never rejects
 */
export async function openRoute(
  { localAddress, proxy, anchors }: RouteParts,
  { upstream, clock, stop }: DialOptions,
): Promise<Attempted<Egress> | undefined> {
  if (!isUsable(localAddress) || !isUsable(proxy)) return undefined;
  // A proxy's own certificate is verified by the same CAs as Presto's.
  const overTls = proxy?.kind === "done" && proxy.value.kind === "https";
  if (overTls && !isUsable(anchors)) return undefined;
  const trust = isUsable(anchors) ? upstream.trust : { ...upstream.trust, caFile: undefined };
  return attempt(stop, () => openEgress({ ...upstream, trust }, { clock, emit: ignore }));
}

function isUsable(attempted: Attempted<unknown> | undefined): boolean {
  return attempted === undefined || attempted.kind === "done";
}

/** How far a connection came. */
export type DialResult =
  /** With a `ConnectError`, as a rule. */
  | { readonly kind: "no-route"; readonly error: unknown }
  | {
      readonly kind: "routed";
      /** Of this machine; undefined where the system does not say. */
      readonly localAddress: string | undefined;
      readonly tls: TlsResult;
    };

export type TlsResult =
  /** There is nobody to trust: the CA file can't be used. */
  | { readonly kind: "not-tried" }
  | { readonly kind: "failed"; readonly error: unknown; readonly certificate: SeenCertificate | undefined }
  /** The chain and the name hold; pins are compared apart. */
  | {
      readonly kind: "up";
      readonly protocol: string;
      readonly certificate: SeenCertificate | undefined;
      /** The server has asked for a client certificate, and goes on without one. */
      readonly clientCertificateAsked: boolean;
    };

/**
 * Makes one connection, as the sidecar makes them, and reads from its steps what was found on the
 * way. It is closed at once, and nothing is sent over it. Never rejects.
 */
export async function dial(
  { connector }: Pick<Egress, "connector">,
  parts: RouteParts,
  { upstream, stop }: DialOptions,
): Promise<Pick<RouteResult, "addresses" | "connection">> {
  const steps: ConnectStep[] = [];
  const ended = await attempt(stop, () => connectOnce(connector, steps, stop));
  const connection: Attempted<DialResult> =
    ended.kind === "done" ? { kind: "done", value: readSteps(steps, ended.value, parts) } : ended;
  return { connection, addresses: isResolvedHere(upstream) ? readAddresses(steps, connection) : undefined };
}

/** Fills in the steps. @returns what it failed with */
function connectOnce(
  connector: Connector,
  steps: ConnectStep[],
  stop: AbortSignal,
): Promise<ConnectError | null> {
  return new Promise((resolve) => {
    const handle = connector.connect(
      (error, socket) => {
        stopListening();
        socket?.destroy();
        resolve(error);
      },
      (step) => steps.push(step),
    );
    const stopListening = onAbort(stop, () => handle.destroy());
  });
}

function readSteps(
  steps: readonly ConnectStep[],
  error: ConnectError | null,
  { proxy, anchors }: RouteParts,
): DialResult {
  const localAddress = steps.find(({ step }) => step === "connected");
  const reached = steps.some(({ step }) => step === (proxy === undefined ? "connected" : "tunnelled"));
  if (error !== null && !reached && !wasReached(error)) return { kind: "no-route", error };
  return {
    kind: "routed",
    localAddress: reached && localAddress?.step === "connected" ? localAddress.localAddress : undefined,
    tls: anchors.kind === "done" ? readTls(steps, error) : { kind: "not-tried" },
  };
}

function readTls(steps: readonly ConnectStep[], error: ConnectError | null): TlsResult {
  const certified = steps.find(({ step }) => step === "certified");
  const { certificate, protocol } =
    certified?.step === "certified" ? certified : { certificate: undefined, protocol: "TLS" };
  const up = error === null || systemCode(error.cause) === "ERR_PIN_MISMATCH";
  const clientCertificateAsked = steps.some(({ step }) => step === "client-certificate-asked");
  return up
    ? { kind: "up", protocol, certificate, clientCertificateAsked }
    : { kind: "failed", error, certificate };
}

/** Whoever resets at once was there: it depends on the moment alone whether the connection was seen to be up before. */
function wasReached(error: ConnectError): boolean {
  return error.place === "presto" && error.proxyStatus === "connection_terminated";
}

/** Does this machine look Presto's name up? */
function isResolvedHere({ origin, egress }: UpstreamOptions): boolean {
  return egress.proxy === undefined && isIP(origin.host) === 0;
}

function readAddresses(
  steps: readonly ConnectStep[],
  connection: Attempted<DialResult>,
): Attempted<readonly string[]> {
  const resolved = steps.find(({ step }) => step === "resolved");
  if (resolved?.step === "resolved") return { kind: "done", value: resolved.addresses };
  if (connection.kind !== "done") return connection;
  const error = connection.value.kind === "no-route" ? connection.value.error : undefined;
  return error instanceof ConnectError && error.proxyStatus === "dns_timeout"
    ? { kind: "late" }
    : { kind: "failed", error };
}

/** Looks Presto's name up where no connection could be begun. @returns undefined where this machine has none to look up. Never rejects */
export async function resolveAlone({
  upstream,
  clock,
  stop,
}: DialOptions): Promise<Attempted<readonly string[]> | undefined> {
  if (!isResolvedHere(upstream)) return undefined;
  const { origin, egress, connectTimeoutMs } = upstream;
  const late = new AbortController();
  const timer = clock.after(connectTimeoutMs, () => late.abort());
  const either = AbortSignal.any([stop, late.signal]);
  const resolver = createResolver({ lookup: createLookup(clock), clock, emit: ignore });
  const resolved = await attempt(either, () => resolver.resolve(origin.host, egress.localAddress, either));
  timer.cancel();
  resolver.close();
  return resolved;
}

/** Would the sidecar send over such a connection? */
export function isTrusted(connection: Attempted<DialResult> | undefined, pins: readonly string[]): boolean {
  if (connection?.kind !== "done" || connection.value.kind !== "routed") return false;
  const { tls } = connection.value;
  return tls.kind === "up" && (pins.length === 0 || pins.includes(tls.certificate?.pin ?? ""));
}
