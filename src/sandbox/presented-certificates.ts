import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";

import { type Authority, type Certificate, createAuthority, createSelfSigned } from "./certificates.ts";
import type { CertificateFlaw, ConnectionEffect } from "./fault.ts";

const day = 24 * 60 * 60 * 1000;

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
