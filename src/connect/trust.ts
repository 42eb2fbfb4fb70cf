import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

import type { Clock } from "../clock.ts";
import { CommandError, systemCode } from "../errors.ts";
import { createWatchedFile } from "../files/watch.ts";
import type { Emit, Warning } from "../lib/events.ts";

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
function createTrustContext(trust: Pick<Trust, "caFile" | "caOnly">): SecureContext {
  const own = trust.caFile === undefined ? [] : readCertificates(trust.caFile);
  return createSecureContext({
    ca: trust.caOnly ? own : [...rootCertificates, ...own],
    minVersion: "TLSv1.2",
  });
}

/** The certificates that others are verified by, read once and shared by all who connect. */
export interface TrustAnchors {
  /** Another object after each reload: sessions that were made with the one before are resumed no more. */
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

export interface WatchTrustOptions {
  readonly anchors: Pick<TrustAnchors, "reload">;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly emit: Emit<Warning>;
}

/** Has the CA file read again when it changes; one that can't be used changes nothing but the log. */
export function watchTrust({ anchors, trust, clock, emit }: WatchTrustOptions): { close(): void } {
  if (trust.caFile === undefined) return { close() {} };
  return createWatchedFile({
    path: trust.caFile,
    clock,
    onChange() {
      try {
        anchors.reload();
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
