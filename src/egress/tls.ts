import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkServerIdentity, createSecureContext, rootCertificates } from "node:tls";
import type { PeerCertificate, SecureContext } from "node:tls";

import { Failure, systemCode } from "../errors.ts";

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
    throw new Failure(
      "configuration",
      `PRESTO_CA_FILE: ${path} can't be read (${systemCode(error) ?? "unknown cause"}); give the path of a PEM file that this user may read`,
      error,
    );
  }
  const blocks = text.match(pemBlock) ?? [];
  if (blocks.length === 0) {
    throw new Failure(
      "configuration",
      `PRESTO_CA_FILE: ${path} holds no PEM certificate; it must have at least one "BEGIN CERTIFICATE" block`,
    );
  }
  blocks.forEach((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new Failure(
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
 * @throws Failure `configuration` if the CA file can't be used
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
