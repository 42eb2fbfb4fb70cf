import { createHash, X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from "node:tls";

import { onAbort } from "../lib/async.ts";
import type { Attempt, SeenCertificate } from "./attempt.ts";
import { ConnectError, toConnectError } from "./errors.ts";

/** Base64 SHA-256 of the SubjectPublicKeyInfo of a DER certificate, as RFC 7469 pins are written. */
export function spkiPin(der: Buffer): string {
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
  const wrongName = checkServerIdentity(host, certificate);
  if (wrongName !== undefined) return wrongName;
  if (pins.length === 0 || pins.includes(spkiPin(certificate.raw))) return undefined;
  return Object.assign(new Error("the certificate's public key matches none of PRESTO_TLS_PINS"), {
    code: "ERR_PIN_MISMATCH",
  });
}

export interface TlsOptions {
  /** An open connection. It belongs to the TLS connection from now on, or is destroyed. */
  readonly socket: Socket;
  /** Whom the peer must prove to be. */
  readonly host: string;
  readonly context: SecureContext;
  /** Compares the certificate of a full handshake, whose chain holds. @returns what is wrong with it */
  readonly verify: (certificate: PeerCertificate, protocol: string) => Error | undefined;
  /** A session to resume. */
  readonly session?: Buffer | undefined;
  /** The peer has given a session that can be resumed later. */
  readonly onSession?: (session: Buffer) => void;
  /** Called in the moment in which TLS is up. */
  readonly onSecure?: (socket: TLSSocket) => void;
}

/**
 * Begins TLS on a connection, as a client that verifies.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export function startTls(options: TlsOptions, attempt: Attempt): Promise<TLSSocket> {
  const { host, session, onSession, onSecure } = options;
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
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once("secureConnect", onSecureConnect);
    stopListening = onAbort(attempt.signal, fail);

    function end(): void {
      stopListening();
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.off("secureConnect", onSecureConnect);
    }
    function fail(reason: Error): void {
      end();
      socket.on("error", () => {});
      socket.destroy();
      reject(reason);
    }
    function onError(error: Error): void {
      fail(toConnectError(error));
    }
    function onClose(): void {
      fail(new ConnectError("unreachable", "connection ended before TLS was up", "connection_terminated"));
    }
    function onSecureConnect(): void {
      end();
      onSecure?.(socket);
      resolve(socket);
    }
  });
}
