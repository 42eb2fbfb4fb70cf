import type { Socket } from "node:net";
import type { PeerCertificate } from "node:tls";

import type { Clock } from "../clock.ts";
import { type Attempt, onAbort, startAttempt } from "../connect/attempt.ts";
import { ConnectError } from "../connect/errors.ts";
import type { Route } from "../connect/route.ts";
import { spkiPin, startTls, type TrustAnchors, verifyPeer } from "../connect/tls.ts";
import type { Origin } from "../lib/host.ts";

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
