import type { Writable } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { dayMs } from "../lib/duration.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { type Attempt, type ConnectStep, runAttempt } from "./attempt.ts";
import type { ConnectError } from "./errors.ts";
import type { LastGoodServes, Resolver } from "./resolver.ts";
import type { Route } from "./route.ts";
import { rememberCarrier } from "./stream-end.ts";
import { seeCertificate, startTls, verifyPeer } from "./tls.ts";
import type { Trust, TrustAnchors } from "./trust.ts";

/** What is told of connections to Presto. */
export type ConnectEvent = CertificateSeen | ConnectFailed | LastGoodServes;

/** A full handshake with Presto: when its certificate ends. */
interface CertificateSeen {
  readonly type: "peer-certificate";
  readonly validTo: Date;
}

/** A connection to Presto could not be made. */
interface ConnectFailed {
  readonly type: "connect-failed";
  readonly error: ConnectError;
}

export interface ConnectOptions {
  readonly origin: Origin;
  readonly pins: Trust["pins"];
  /** Shared by all who connect. */
  readonly anchors: Pick<TrustAnchors, "context">;
  /** How connections leave this machine. */
  readonly route: Route;
  readonly resolver: Pick<Resolver, "note">;
  /** Everything until TLS is up, milliseconds: the name, TCP, the egress proxy, TLS. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly emit: Emit<ConnectEvent | Warning>;
}

/** Called once, and not at all for an attempt that was given up: with a `ConnectError`, or with a socket whose peer was verified. */
export type Connected = (error: ConnectError | null, socket: TLSSocket | null) => void;

/** Makes the connections to one server: whoever talks to Presto gets its connections here. */
export interface Connector {
  /**
   * @param report told of each step that was done; in a resumed session no certificate is shown
   * @returns a stream that stands for the attempt, which is given up by destroying it while it is not done
   */
  connect(done: Connected, report?: (step: ConnectStep) => void): Writable;
}

/** A session is resumed for this long at most: dates, name and pins are looked at only in full handshakes. */
const sessionLifeMs = 10 * 60_000;

interface RememberedSession {
  readonly bytes: Buffer;
  readonly bornAt: number;
  /** What its certificate was verified by: it stands no longer than that. */
  readonly context: SecureContext;
}

export function createConnector(options: ConnectOptions): Connector {
  const { origin, pins, anchors, route, clock, emit } = options;
  const { context } = anchors;
  let session: RememberedSession | undefined;
  let warnedOfAsking = false;
  const watchCertificate = createCertificateWatch({ host: origin.host, clock, emit });

  function resumable(): RememberedSession | undefined {
    if (session?.context !== context()) return undefined;
    return clock.monotonic() - session.bornAt > sessionLifeMs ? undefined : session;
  }

  function warnOfAsking(): void {
    if (warnedOfAsking) return;
    warnedOfAsking = true;
    emit({
      type: "warning",
      message: `${origin.host} asks for a client certificate, and goes on without one. There is none to give: should it insist one day, nothing is sent.`,
    });
  }

  /** TLS is end to end, whatever the route leads through. */
  async function open(attempt: Attempt): Promise<TLSSocket> {
    const carrier = await route.open(origin, attempt);
    attempt.stage = { waitsFor: "TLS was not up", place: "presto", proxyStatus: "connection_timeout" };
    const verifiedBy = context();
    const resumed = resumable();
    const bornAt = resumed?.bornAt ?? clock.monotonic();
    return startTls(
      {
        socket: carrier,
        clock,
        host: origin.host,
        context: verifiedBy,
        verify(certificate, protocol) {
          attempt.report({ step: "certified", protocol, certificate: seeCertificate(certificate) });
          return verifyPeer(origin.host, certificate, pins);
        },
        session: resumed?.bytes,
        onSession(bytes) {
          session = { bytes, bornAt, context: verifiedBy };
        },
        onCertificateAsked: () => attempt.report({ step: "client-certificate-asked" }),
        onSecure(socket, certificateAsked) {
          if (certificateAsked) warnOfAsking();
          markResets(socket);
          rememberCarrier(socket, carrier);
          if (!socket.isSessionReused()) watchCertificate(new Date(socket.getPeerCertificate().valid_to));
        },
      },
      attempt,
    );
  }

  function connect(done: Connected, report?: (step: ConnectStep) => void): Writable {
    const told: Connected = (error, socket) => {
      if (error !== null) {
        session = undefined;
        emit({ type: "connect-failed", error });
      }
      done(error, socket);
    };
    return runAttempt(options, open, told, report);
  }

  return { connect };
}

/**
 * undici takes an ECONNRESET in the middle of an answer without a length for its end (a
 * workaround for macOS, client-h1.js). For us a cut answer is a broken one, so the code is
 * changed before undici sees it.
 */
function markResets(socket: TLSSocket): void {
  socket.on("error", (error) => {
    if (systemCode(error) === "ECONNRESET") Object.assign(error, { code: "UPSTREAM_RESET" });
  });
}

export interface CertificateWatchOptions {
  /** Whose certificate it is. */
  readonly host: string;
  readonly clock: Clock;
  readonly emit: Emit<CertificateSeen | Warning>;
}

const warnFromDays = 21;

/**
 * Tells when the certificate ends, at each full handshake, and warns once a day while that is near.
 * @returns what takes the end of a certificate that was just accepted
 */
export function createCertificateWatch(options: CertificateWatchOptions): (validTo: Date) => void {
  const { host, clock, emit } = options;
  let warnedAt: number | undefined;
  return (validTo) => {
    emit({ type: "peer-certificate", validTo });
    const daysLeft = (validTo.getTime() - clock.now()) / dayMs;
    // Also false for a date that could not be read.
    if (!(daysLeft <= warnFromDays)) return;
    const now = clock.monotonic();
    if (warnedAt !== undefined && now - warnedAt < dayMs) return;
    warnedAt = now;
    emit({
      type: "warning",
      message: `The certificate of ${host} ends in ${Math.max(0, Math.floor(daysLeft))} days, at ${validTo.toISOString()}. Ask for its renewal: from then on nothing is sent.`,
    });
  };
}
