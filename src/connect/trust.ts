import { X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

import type { Clock } from "../clock.ts";
import { CommandError, systemCode } from "../errors.ts";
import { type BoundedRead, readBounded } from "../files/io.ts";
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

/** The certificates that others are verified by, read once and shared by all who connect. */
export interface TrustAnchors {
  /** Another object after each reload: sessions that were made with the one before are resumed no more. */
  context(): SecureContext;
  /** Reads the CA file again. @throws CommandError `configuration` if it can't be used; what was trusted stays trusted */
  reload(): Promise<void>;
}

/**
 * @param variable names the CA file
 * @throws CommandError `configuration` if the CA file can't be used
 */
export async function openTrustAnchors(
  trust: Pick<Trust, "caFile" | "caOnly">,
  variable = "PRESTO_CA_FILE",
): Promise<TrustAnchors> {
  const refused = refuseFor(variable);
  let context = await createTrustContext(trust, refused);
  let begun = 0;
  return {
    context: () => context,
    async reload() {
      begun += 1;
      const mine = begun;
      const read = await createTrustContext(trust, refused);
      // A reading that was begun later has seen what is newer.
      if (mine === begun) context = read;
    },
  };
}

export interface WatchTrustOptions {
  readonly anchors: Pick<TrustAnchors, "reload">;
  readonly trust: Pick<Trust, "caFile">;
  readonly clock: Clock;
  readonly emit: Emit<Warning>;
}

/** Has the CA file read again when it changes; one that can't be used changes nothing but the log. */
export function watchTrust({ anchors, trust, clock, emit }: WatchTrustOptions): { close(): void } {
  if (trust.caFile === undefined) return { close() {} };
  async function follow(): Promise<void> {
    try {
      await anchors.reload();
    } catch (cause) {
      emit({
        type: "warning",
        message: "The CA file has changed and can't be used; what was trusted before stays trusted.",
        cause,
      });
    }
  }
  return createWatchedFile({ path: trust.caFile, clock, onChange: () => void follow() });
}

/**
 * Everything that a connection's TLS is made with, read once: parsing some 140 roots for
 * each connection would cost more than the handshake.
 *
 * Node's bundled roots are named outright, so nothing in the environment can add a trust
 * anchor: `tls.getCACertificates()` would obey NODE_EXTRA_CA_CERTS and SSL_CERT_FILE.
 * @throws CommandError `configuration` if the CA file can't be used
 */
async function createTrustContext(
  trust: Pick<Trust, "caFile" | "caOnly">,
  refused: Refuse,
): Promise<SecureContext> {
  const own = trust.caFile === undefined ? [] : await readCertificates(trust.caFile, refused);
  return createSecureContext({
    ca: trust.caOnly ? own : [...rootCertificates, ...own],
    // Every certificate of the file is an anchor, the CA's that issued Presto's as much as its root (RFC 5280
    // section 6.1.1 (d) asks for no more); OpenSSL by itself wants a root, X509_V_FLAG_PARTIAL_CHAIN.
    allowPartialTrustChain: true,
    minVersion: "TLSv1.2",
  });
}

/** RFC 7468 section 2: a block begins and ends with the same label. */
const pemBlock = /-----BEGIN ([^-]*)-----[^-]*-----END \1-----/g;

/** What only a part of a block can have left behind. */
const pemRemains = /-----\s*(?:BEGIN|END)\b|-----(?:B|BE|BEG|BEGI|E|EN)\s*$/;

/**
 * The certificates of a PEM file, each checked to be one. What stands between the blocks is for
 * people. A file of which only a part can be read is refused as a whole: what is left would be
 * another list than the operator's.
 */
async function readCertificates(path: string, refused: Refuse): Promise<string[]> {
  const text = await readCaFile(path, refused);
  const blocks = [...text.matchAll(pemBlock)];
  if (pemRemains.test(text.replaceAll(pemBlock, ""))) {
    throw refused(
      `${path} has a PEM block that does not begin or does not end (${blocks.length} beside it ${blocks.length === 1 ? "is" : "are"} whole); put the whole file there`,
    );
  }
  const foreign = blocks.find(([, label = ""]) => label !== "CERTIFICATE" && label.endsWith("CERTIFICATE"));
  if (foreign !== undefined) {
    throw refused(
      `${path} has a block of type "${foreign[1]}"; write it as one of type "CERTIFICATE" (openssl x509 -in FILE)`,
    );
  }
  const certificates = blocks.filter(([, label]) => label === "CERTIFICATE").map(([block]) => block);
  if (certificates.length === 0) {
    throw refused(`${path} holds no PEM certificate; it must have at least one "BEGIN CERTIFICATE" block`);
  }
  certificates.forEach((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw refused(`certificate ${index + 1} of ${path} can't be parsed; replace that block`, error);
    }
  });
  return certificates;
}

/** Bytes: some 700 certificates, as much as five of Node's bundled list. */
const maxBytes = 1024 * 1024;

/** The text of the CA file. */
async function readCaFile(path: string, refused: Refuse): Promise<string> {
  let read: BoundedRead;
  try {
    read = await readBounded(path, { maxBytes, followLink: true });
  } catch (error) {
    throw refused(
      `${path} can't be read (${systemCode(error) ?? "unknown cause"}); give the path of a PEM file that this user may read`,
      error,
    );
  }
  switch (read.kind) {
    case "content":
      return read.bytes.toString("latin1");
    case "absent":
      throw refused(`${path} can't be read (ENOENT); give the path of a PEM file that this user may read`);
    case "link":
    case "not-a-file":
      throw refused(`${path} is not a regular file; give the path of a PEM file`);
    case "too-large":
      throw refused(
        `${path} is larger than ${maxBytes} bytes; give the path of a PEM file with the CA's certificates alone`,
      );
  }
}

/** Makes the error that names the variable. */
type Refuse = (what: string, cause?: unknown) => CommandError;

function refuseFor(variable: string): Refuse {
  return (what, cause) => new CommandError("configuration", `${variable}: ${what}`, cause);
}
