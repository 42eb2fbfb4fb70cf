import { createHash, X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from "node:tls";

import type { Clock, Timer } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import type { Attempt, SeenCertificate } from "./attempt.ts";
import { ConnectError, toConnectError } from "./errors.ts";

export interface TlsOptions {
  /** An open connection. It belongs to the TLS connection from now on, or is destroyed. */
  readonly socket: Socket;
  readonly clock: Clock;
  /** Whom the peer must prove to be. */
  readonly host: string;
  readonly context: SecureContext;
  /** Compares the certificate of a full handshake, whose chain holds. @returns what is wrong with it */
  readonly verify: (certificate: PeerCertificate, protocol: string) => Error | undefined;
  /** A session to resume. */
  readonly session?: Buffer | undefined;
  /** The peer has given a session that can be resumed later. */
  readonly onSession?: (session: Buffer) => void;
  /** The peer asks for a client certificate, and has been told that there is none. */
  readonly onCertificateAsked?: () => void;
  /** Called in the moment in which TLS is up, and the peer goes on without a certificate that it may have asked for. */
  readonly onSecure?: (socket: TLSSocket, certificateAsked: boolean) => void;
}

/**
 * Begins TLS on a connection, as a client that verifies.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export function startTls(options: TlsOptions, attempt: Attempt): Promise<TLSSocket> {
  const { host, clock, session, onSession, onCertificateAsked, onSecure } = options;
  const beganAt = clock.monotonic();
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      socket: options.socket,
      host,
      // RFC 6066 section 3: no literal addresses in SNI. The name is then checked against the host.
      servername: isIP(host) === 0 ? host : "",
      secureContext: options.context,
      // RFC 7301; HTTP/2 is not offered: a refused POST has been seen to be sent twice over it.
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) => options.verify(certificate, socket.getProtocol() ?? "TLS"),
      ...(session === undefined ? {} : { session }),
    });
    if (onSession !== undefined) socket.on("session", onSession);

    let stopListening = (): void => {};
    let timer: Timer | undefined;
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once("secureConnect", onSecureConnect);
    stopListening = onAbort(attempt.signal, fail);

    function end(): void {
      stopListening();
      timer?.cancel();
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.off("secureConnect", onSecureConnect);
      socket.off("session", onAccepted);
    }
    function fail(reason: Error): void {
      end();
      socket.on("error", () => {});
      socket.destroy();
      reject(reason);
    }
    function onError(error: Error): void {
      const refused = asksForCertificate(socket) && /_ALERT_/.test(systemCode(error) ?? "");
      fail(refused ? certificateRequired(error) : toConnectError(error));
    }
    function onClose(): void {
      fail(
        timer === undefined
          ? new ConnectError("unreachable", "connection ended before TLS was up", "connection_terminated")
          : certificateRequired(undefined),
      );
    }
    function onSecureConnect(): void {
      if (!asksForCertificate(socket)) {
        onAccepted();
        return;
      }
      onCertificateAsked?.();
      if (socket.getProtocol() !== "TLSv1.3") {
        onAccepted();
        return;
      }
      socket.once("session", onAccepted);
      const roundTripMs = clock.monotonic() - beganAt;
      timer = clock.after(Math.min(Math.max(2 * roundTripMs, leastWaitMs), mostWaitMs), onAccepted);
    }
    function onAccepted(): void {
      end();
      onSecure?.(socket, asksForCertificate(socket));
      resolve(socket);
    }
  });
}

/**
 * In TLS 1.3 the client is done before the server has looked at its certificate, or at the lack of
 * one (RFC 8446 section 4.4.2.4): a refusal comes when a request may be written already, which is
 * then said to be unknown. So the connection of a server that asks is held back until its first
 * ticket comes, or as long as a refusal would take, milliseconds.
 */
const leastWaitMs = 100;
const mostWaitMs = 1_000;

/** A server says what signatures it accepts of a client only where it asks for a certificate (RFC 8446 section 4.3.2). */
function asksForCertificate(socket: TLSSocket): boolean {
  // Null where the connection is closed already.
  const algorithms: readonly string[] | null = socket.getSharedSigalgs();
  return !socket.isSessionReused() && (algorithms?.length ?? 0) > 0;
}

function certificateRequired(cause: unknown): ConnectError {
  const code = systemCode(cause);
  return new ConnectError(
    "untrusted",
    `the server asks for a client certificate, and there is none to give${code === undefined ? "" : ` (${code})`}`,
    "tls_alert_received",
    cause,
  );
}

/** Base64 SHA-256 of the SubjectPublicKeyInfo of a DER certificate, as RFC 7469 pins are written. */
function spkiPin(der: Buffer): string {
  const spki = new X509Certificate(der).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

/** What is told of a certificate. */
export function seeCertificate({ valid_to, raw }: PeerCertificate): SeenCertificate {
  return { validTo: new Date(valid_to), pin: spkiPin(raw) };
}

/**
 * Name and pins of the certificate of a full handshake (Node does not call this on a
 * resumed session, where the result of the first one stands).
 * @returns what is wrong, or undefined
 */
export function verifyPeer(
  host: string,
  certificate: PeerCertificate,
  pins: readonly string[],
): Error | undefined {
  // Node would go by the common name where no DNS name is given, which HTTP forbids (RFC 9110 section 4.3.4).
  const wrongName = checkServerIdentity(host, {
    ...certificate,
    subject: { ...certificate.subject, CN: "" },
  });
  if (wrongName !== undefined) return wrongName;
  if (pins.length === 0 || pins.includes(spkiPin(certificate.raw))) return undefined;
  return Object.assign(new Error("the certificate's public key matches none of PRESTO_TLS_PINS"), {
    code: "ERR_PIN_MISMATCH",
  });
}
