import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
} from "node:tls";

import { CommandError, systemCode } from "../errors.ts";
import { onAbort } from "../lib/async.ts";
import type { Attempt } from "./attempt.ts";
import { ConnectError, toConnectError } from "./errors.ts";

/** Whom to believe. */
export interface Trust {
  /** PEM file with CA certificates beside (or, with `caOnly`, instead of) Node's bundled list. */
  readonly caFile: string | undefined;
  readonly caOnly: boolean;
  /** Base64 SHA-256 of the leaf's SubjectPublicKeyInfo; one must match. Empty: no pins. */
  readonly pins: readonly string[];
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file, each checked to be one. */
function readCertificates(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    throw new CommandError(
      "configuration",
      `PRESTO_CA_FILE: ${path} can't be read (${systemCode(error) ?? "unknown cause"}); give the path of a PEM file that this user may read`,
      error,
    );
  }
  const blocks = text.match(pemBlock) ?? [];
  if (blocks.length === 0) {
    throw new CommandError(
      "configuration",
      `PRESTO_CA_FILE: ${path} holds no PEM certificate; it must have at least one "BEGIN CERTIFICATE" block`,
    );
  }
  blocks.forEach((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new CommandError(
        "configuration",
        `PRESTO_CA_FILE: certificate ${index + 1} of ${path} can't be parsed; replace that block`,
        error,
      );
    }
  });
  return blocks;
}

/**
 * Everything that a connection's TLS is made with, read once: parsing some 140 roots for
 * each connection would cost more than the handshake.
 *
 * Node's bundled roots are named outright, so nothing in the environment can add a trust
 * anchor: `tls.getCACertificates()` would obey NODE_EXTRA_CA_CERTS and SSL_CERT_FILE.
 * @throws CommandError `configuration` if the CA file can't be used
 */
export function createTrustContext(trust: Pick<Trust, "caFile" | "caOnly">): SecureContext {
  const own = trust.caFile === undefined ? [] : readCertificates(trust.caFile);
  return createSecureContext({
    ca: trust.caOnly ? own : [...rootCertificates, ...own],
    minVersion: "TLSv1.2",
  });
}

/** Base64 SHA-256 of the SubjectPublicKeyInfo of a DER certificate, as RFC 7469 pins are written. */
export function spkiPin(der: Buffer): string {
  const spki = new X509Certificate(der).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

/**
 * Name and pins of the certificate of a full handshake (Node does not call this on a
 * resumed session, where the verdict of the first one stands).
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

/** The certificates that others are judged by, read once and shared by all who connect. */
export interface TrustAnchors {
  /** Another object after each reload. */
  context(): SecureContext;
  /** Reads the CA file again. @throws CommandError `configuration` if it can't be used; what was trusted stays trusted */
  reload(): void;
}

/** @throws CommandError `configuration` if the CA file can't be used */
export function createTrustAnchors(trust: Pick<Trust, "caFile" | "caOnly">): TrustAnchors {
  let context = createTrustContext(trust);
  return {
    context: () => context,
    reload() {
      context = createTrustContext(trust);
    },
  };
}

export interface TlsOptions {
  /** An open connection. It belongs to the TLS connection from now on, or is destroyed. */
  readonly socket: Socket;
  /** Whom the peer must prove to be. */
  readonly host: string;
  readonly context: SecureContext;
  /** Judges the certificate of a full handshake. @returns what is wrong with it */
  readonly verify: (certificate: PeerCertificate) => Error | undefined;
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
    const socket = connect({
      socket: options.socket,
      host,
      // RFC 6066 section 3: no literal addresses in SNI. The name is then checked against the host.
      servername: isIP(host) === 0 ? host : "",
      secureContext: options.context,
      // RFC 7301; HTTP/2 is not offered: a refused POST has been seen to be sent twice over it.
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) => options.verify(certificate),
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
