import { createHash, KeyObject, webcrypto } from "node:crypto";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import { isIP } from "node:net";

import type * as X509 from "@peculiar/x509";

import type { CertificateFlaw, ConnectionEffect } from "./fault-kinds.ts";

type X509Library = typeof X509;

let loading: Promise<X509Library> | undefined;

/** @peculiar/x509 is an optional dependency, and was left out where this runs. */
export class LibraryMissingError extends Error {
  override readonly name = "LibraryMissingError";
}

/**
 * Loads @peculiar/x509 the first time that it is asked for: it costs about 0.2 s, which no
 * command but the sandbox and the demo should pay. Rejects with a {@link LibraryMissingError}.
 */
export function loadX509(): Promise<X509Library> {
  loading ??= importX509().catch((error: unknown) => {
    const missing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    throw missing ? new LibraryMissingError("@peculiar/x509 is not installed.", { cause: error }) : error;
  });
  return loading;
}

/**
 * The library's dependency-injection part (tsyringe) refuses to load without the Reflect
 * metadata functions, which it then asks only for constructor parameters that none of the
 * library's classes has. "No metadata" is therefore the right answer to all it asks, and it
 * asks only while it loads: the functions are taken away again afterwards, so that no
 * other code in the process sees a changed global.
 */
async function importX509(): Promise<X509Library> {
  if ("getMetadata" in Reflect) return import("@peculiar/x509");
  const asked = ["getMetadata", "getOwnMetadata", "defineMetadata"];
  for (const name of asked) {
    Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true });
  }
  try {
    return await import("@peculiar/x509");
  } finally {
    for (const name of asked) Reflect.deleteProperty(Reflect, name);
  }
}

const curve = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;
const day = 24 * 60 * 60 * 1000;

/** A certificate and its private key, both PEM. */
export interface Certificate {
  readonly certPem: string;
  /** PKCS#8, not encrypted. */
  readonly keyPem: string;
  /** Base64 SHA-256 of the SubjectPublicKeyInfo, as a pin is written after `sha256/` (RFC 7469, section 2.4). */
  readonly spkiPin: string;
}

/** What a leaf certificate says. */
export interface LeafOptions {
  /** Subject alternative names, DNS names and IP addresses. Default: localhost, 127.0.0.1 and ::1. */
  readonly names?: readonly string[];
  /** Default: a day ago, so that a clock that lags does not matter. */
  readonly notBefore?: Date;
  /** Default: in 30 days. */
  readonly notAfter?: Date;
  /** Common name of the subject; no client looks at it. Default: the first of `names`. */
  readonly commonName?: string;
  /** Extended key usage. `client` makes a certificate that no server may present. Default: `server`. */
  readonly usage?: "server" | "client";
}

/** A certificate authority that issues leaves, good and bad ones. */
export interface Authority extends Certificate {
  issue(options?: LeafOptions): Promise<Certificate>;
}

const loopbackNames = ["localhost", "127.0.0.1", "::1"];

/** What a certificate authority says. */
export interface AuthorityOptions {
  /** Common name. Default: Presto sandbox CA. */
  readonly name?: string;
  /** Default: a day ago. */
  readonly notBefore?: Date;
  /** Default: in a year. */
  readonly notAfter?: Date;
}

/** Makes a certificate authority of its own, ECDSA P-256. Dates are those of the system's clock, which clients go by. */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const x509 = await loadX509();
  const now = Date.now();
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [options.name ?? "Presto sandbox CA"] }],
    notBefore: options.notBefore ?? new Date(now - day),
    notAfter: options.notAfter ?? new Date(now + 365 * day),
    signingAlgorithm: signing,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    ...written(certificate.toString("pem"), keys),
    async issue(leaf = {}) {
      const leafKeys = await makeKeys();
      const issued = await x509.X509CertificateGenerator.create({
        ...leafFields(leaf),
        issuer: certificate.subjectName,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          ...(await leafExtensions(leaf, leafKeys)),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      });
      return written(issued.toString("pem"), leafKeys);
    },
  };
}

/** Makes a leaf that nobody but itself vouches for. */
export async function createSelfSigned(options: LeafOptions = {}): Promise<Certificate> {
  const x509 = await loadX509();
  const keys = await makeKeys();
  const { subject, ...fields } = leafFields(options);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...fields,
    name: subject,
    keys,
    extensions: await leafExtensions(options, keys),
  });
  return written(certificate.toString("pem"), keys);
}

function leafFields(options: LeafOptions) {
  const now = Date.now();
  const names = options.names ?? loopbackNames;
  return {
    subject: [{ CN: [options.commonName ?? names[0] ?? "no name"] }],
    notBefore: options.notBefore ?? new Date(now - day),
    notAfter: options.notAfter ?? new Date(now + 30 * day),
    signingAlgorithm: signing,
  };
}

async function leafExtensions(options: LeafOptions, keys: webcrypto.CryptoKeyPair) {
  const x509 = await loadX509();
  const names = options.names ?? loopbackNames;
  const usage =
    options.usage === "client" ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
  const alternatives = names.map((name) => ({
    type: isIP(name) === 0 ? ("dns" as const) : ("ip" as const),
    value: name,
  }));
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
  ];
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(curve, true, ["sign", "verify"]);
}

function written(certPem: string, keys: webcrypto.CryptoKeyPair): Certificate {
  const spki = KeyObject.from(keys.publicKey).export({ type: "spki", format: "der" });
  return {
    // OpenSSL's own form ends with a line feed; files with several certificates need it.
    certPem: `${certPem.trimEnd()}\n`,
    keyPem: KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }),
    spkiPin: createHash("sha256").update(spki).digest("base64"),
  };
}

/** An HTTPS server that a connection can be handed to; it listens on nothing itself. */
export interface PresentedCertificates {
  /**
   * The server with the good certificate; or, for a fault, with a bad one, made when it is
   * first asked for. A server each, because a client that names no host (SNI) gives a single
   * one no moment to choose; and so no session of one can be resumed on another.
   */
  serverFor(effect: ConnectionEffect | undefined): Server | Promise<Server>;
}

/** What the servers are made of. */
export interface PresentedCertificatesOptions {
  readonly authority: Authority;
  readonly certificate: Certificate;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  readonly onRequest: RequestListener;
  readonly onMalformed: () => void;
}

/** Prepares the good server. */
export function createPresentedCertificates(options: PresentedCertificatesOptions): PresentedCertificates {
  const { certificate } = options;
  const good = createHttpsServer(certificate, options);
  const bad = new Map<CertificateFlaw, Promise<Server>>();
  let old: Server | undefined;

  const withFlaw = (flaw: CertificateFlaw): Promise<Server> => {
    const server =
      bad.get(flaw) ??
      makeFlawed(flaw, options.authority).then((flawed) => createHttpsServer(flawed, options));
    bad.set(flaw, server);
    return server;
  };

  return {
    serverFor(effect) {
      if (effect?.kind === "wrong-certificate") return withFlaw(effect.certificate);
      if (effect?.kind !== "old-tls") return good;
      // OpenSSL 3 speaks TLS 1.1 only at security level 0: its handshake signs with SHA-1.
      old ??= createHttpsServer(certificate, options, {
        minVersion: "TLSv1.1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      });
      return old;
    },
  };
}

/** Expired by the system's clock, whatever the sandbox's own says: that is what a client compares with. */
async function makeFlawed(flaw: CertificateFlaw, authority: Authority): Promise<Certificate> {
  switch (flaw) {
    case "other-name":
      return authority.issue({ names: ["presto.invalid"] });
    case "expired":
      return authority.issue({
        notBefore: new Date(Date.now() - 3 * day),
        notAfter: new Date(Date.now() - 2 * day),
      });
    case "other-authority":
      return (await createAuthority({ name: "Another CA" })).issue();
    case "self-signed":
      return createSelfSigned();
  }
}

interface OldTls {
  readonly minVersion: "TLSv1.1";
  readonly maxVersion: "TLSv1.1";
  readonly ciphers: string;
}

function createHttpsServer(
  certificate: Certificate,
  options: PresentedCertificatesOptions,
  oldTls?: OldTls,
): Server {
  const server = createServer(
    {
      cert: certificate.certPem,
      key: certificate.keyPem,
      minVersion: "TLSv1.2",
      ...oldTls,
      keepAliveTimeout: options.keepAliveMs,
    },
    options.onRequest,
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code?.startsWith("HPE_") === true) options.onMalformed();
    if (socket.writable)
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    else socket.destroy();
  });
  return server;
}
