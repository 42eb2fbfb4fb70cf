import { isIP } from "node:net";
import type { Socket } from "node:net";
import { connect } from "node:tls";
import type { PeerCertificate, SecureContext, TLSSocket } from "node:tls";

import { onAbort } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import { ConnectError, toConnectError } from "./connect-error.ts";

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
