import { isIP } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { SecureContext, TLSSocket } from "node:tls";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import type { Signals } from "../observe/signals.ts";
import { ConnectError, toConnectError } from "./connect-error.ts";
import type { Origin } from "./origin.ts";
import { createTrustContext, verifyPeer } from "./tls.ts";
import type { Trust } from "./tls.ts";

export interface ConnectOptions {
  readonly origin: Origin;
  readonly trust: Trust;
  /** TCP and TLS together, milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signals: Pick<Signals, "peerCertificate" | "connectFailed">;
}

/** Called once: with a `ConnectError`, or with a socket whose peer was verified. */
export type Connected = (error: ConnectError | null, socket: TLSSocket | null) => void;

/** The one way out of this process: whoever talks to Presto gets its connections here. */
export interface Connector {
  /** @returns the socket, so that an attempt which nobody waits for any more can be given up by destroying it */
  connect(done: Connected): TLSSocket;
  /**
   * Reads the CA file again and forgets all sessions; connections that are up stay.
   * @throws Failure `configuration` if the file can't be used; what was trusted stays trusted
   */
  reload(): void;
}

/** A session is resumed for this long at most: dates, name and pins are looked at only in full handshakes. */
const sessionLifeMs = 10 * 60_000;

interface RememberedSession {
  readonly bytes: Buffer;
  readonly bornAt: number;
}

/** @throws Failure `configuration` if the CA file can't be used */
export function createConnector(options: ConnectOptions): Connector {
  const { origin, trust, clock, signals } = options;
  let context: SecureContext = createTrustContext(trust);
  let session: RememberedSession | undefined;

  function resumable(): Buffer | undefined {
    if (session === undefined || clock.monotonic() - session.bornAt > sessionLifeMs) return undefined;
    return session.bytes;
  }

  function connect(done: Connected): TLSSocket {
    const mine = context;
    const resumed = resumable();
    const bornAt = resumed === undefined ? clock.monotonic() : (session?.bornAt ?? clock.monotonic());
    const socket = tlsConnect({
      host: origin.host,
      port: origin.port,
      // RFC 6066 section 3: no literal addresses in SNI. The name is then checked against the host.
      servername: isIP(origin.host) === 0 ? origin.host : "",
      secureContext: mine,
      // RFC 7301; HTTP/2 is not offered: a refused POST has been seen to be sent twice over it.
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) => verifyPeer(origin.host, certificate, trust.pins),
      ...(resumed === undefined ? {} : { session: resumed }),
    });

    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);

    const finish = (error: ConnectError | null): void => {
      timer.cancel();
      socket.off("error", onError);
      socket.off("secureConnect", onSecure);
      socket.off("close", onClose);
      if (error === null) {
        done(null, socket);
        return;
      }
      session = undefined;
      socket.on("error", () => {});
      socket.destroy();
      signals.connectFailed(error);
      done(error, null);
    };
    const onError = (error: Error): void => {
      // Given up by undici: nobody waits for it, and it tells nothing of Presto.
      if (systemCode(error) !== "UND_ERR_INFO") {
        finish(toConnectError(error));
        return;
      }
      timer.cancel();
      socket.off("close", onClose);
    };
    const onClose = (): void =>
      finish(new ConnectError("unreachable", "connection ended before TLS was up", "connection_terminated"));
    const onSecure = (): void => {
      markResets(socket);
      if (!socket.isSessionReused()) signals.peerCertificate(new Date(socket.getPeerCertificate().valid_to));
      finish(null);
    };
    const timer = clock.after(options.timeoutMs, () =>
      finish(
        new ConnectError("timeout", `not connected within ${options.timeoutMs} ms`, "connection_timeout"),
      ),
    );

    socket.once("error", onError);
    socket.once("secureConnect", onSecure);
    socket.once("close", onClose);
    socket.on("session", (bytes: Buffer) => {
      if (mine === context) session = { bytes, bornAt };
    });
    return socket;
  }

  return {
    connect,
    reload() {
      context = createTrustContext(trust);
      session = undefined;
    },
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
