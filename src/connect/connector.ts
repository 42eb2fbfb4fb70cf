import type { Writable } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { createWatchedFile } from "../files/watch.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { type Attempt, startAttempt } from "./attempt.ts";
import { type ConnectError, toConnectError } from "./errors.ts";
import { createRoute, type Route } from "./route.ts";
import { createTrustAnchors, startTls, type Trust, type TrustAnchors, verifyPeer } from "./tls.ts";

/** What is told of connections to Presto. */
export type ConnectEvent = CertificateSeen | ConnectFailed;

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
  readonly trust: Trust;
  /** The certificates of `trust`, where others use them too; undefined: read here. */
  readonly anchors?: TrustAnchors | undefined;
  /** How connections leave this machine; undefined: straight, from the address that the system chooses. */
  readonly route?: Route | undefined;
  /** Everything until TLS is up, milliseconds: the name, TCP, the egress proxy, TLS. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly emit: Emit<ConnectEvent | Warning>;
}

/** Called once, and not at all for an attempt that was given up: with a `ConnectError`, or with a socket whose peer was verified. */
export type Connected = (error: ConnectError | null, socket: TLSSocket | null) => void;

/** The one way out of this process: whoever talks to Presto gets its connections here. */
export interface Connector {
  /** @returns a stream that stands for the attempt, which is given up by destroying it while it is not done */
  connect(done: Connected): Writable;
  /**
   * Reads the CA file again and forgets all sessions; connections that are up stay.
   * @throws CommandError `configuration` if the file can't be used; what was trusted stays trusted
   */
  reload(): void;
}

/** A session is resumed for this long at most: dates, name and pins are looked at only in full handshakes. */
const sessionLifeMs = 10 * 60_000;

interface RememberedSession {
  readonly bytes: Buffer;
  readonly bornAt: number;
  /** What its certificate was judged by: it stands no longer than that. */
  readonly context: SecureContext;
}

/** @throws CommandError `configuration` if the CA file can't be used */
export function createConnector(options: ConnectOptions): Connector {
  const { origin, trust, clock, emit } = options;
  const anchors = options.anchors ?? createTrustAnchors(trust);
  let session: RememberedSession | undefined;
  const { context } = anchors;
  const route =
    options.route ?? createRoute({ localAddress: undefined, proxy: () => undefined, context, clock });
  const seeCertificate = createCertificateWatch({ host: origin.host, clock, emit });

  function resumable(): RememberedSession | undefined {
    if (session?.context !== context()) return undefined;
    return clock.monotonic() - session.bornAt > sessionLifeMs ? undefined : session;
  }

  /** TLS is end to end, whatever the route leads through. */
  async function open(attempt: Attempt): Promise<TLSSocket> {
    const carrier = await route.open(origin, attempt);
    attempt.stage = { waitsFor: "TLS was not up", place: "presto", proxyStatus: "connection_timeout" };
    const judgedBy = context();
    const resumed = resumable();
    const bornAt = resumed?.bornAt ?? clock.monotonic();
    return startTls(
      {
        socket: carrier,
        host: origin.host,
        context: judgedBy,
        verify: (certificate) => verifyPeer(origin.host, certificate, trust.pins),
        session: resumed?.bytes,
        onSession(bytes) {
          session = { bytes, bornAt, context: judgedBy };
        },
        onSecure(socket) {
          markResets(socket);
          if (!socket.isSessionReused()) seeCertificate(new Date(socket.getPeerCertificate().valid_to));
        },
      },
      attempt,
    );
  }

  function connect(done: Connected): Writable {
    const { attempt, handle, isGivenUp, end } = startAttempt(options.timeoutMs, clock);
    void open(attempt).then(
      (socket) => {
        if (isGivenUp()) {
          socket.destroy();
          return;
        }
        end();
        done(null, socket);
      },
      (reason: unknown) => {
        if (isGivenUp()) return;
        end();
        session = undefined;
        const error = toConnectError(reason);
        emit({ type: "connect-failed", error });
        done(error, null);
      },
    );
    return handle;
  }

  return {
    connect,
    reload: () => anchors.reload(),
  };
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

const dayMs = 24 * 60 * 60_000;
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

export interface WatchTrustOptions {
  readonly connector: Pick<Connector, "reload">;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly emit: Emit<Warning>;
}

/** Has the CA file read again when it changes; one that can't be used changes nothing but the log. */
export function watchTrust({ connector, trust, clock, emit }: WatchTrustOptions): { close(): void } {
  if (trust.caFile === undefined) return { close() {} };
  return createWatchedFile({
    path: trust.caFile,
    clock,
    onChange() {
      try {
        connector.reload();
      } catch (cause) {
        emit({
          type: "warning",
          message: "The CA file has changed and can't be used; what was trusted before stays trusted.",
          cause,
        });
      }
    },
  });
}
