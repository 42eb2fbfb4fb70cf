import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import { afterEachPoll, type Timer } from "../clock.ts";

/** Whether the end of a TLS connection was announced by whom it came from, or may be anybody's cut. */
export interface StreamEnd {
  /** The peer has said by a close_notify that all of it has come (RFC 8446 section 6.1). */
  isAnnounced(): boolean;
  /** Nobody asks any more. */
  close(): void;
}

/** What each TLS connection goes over. One entry for a connection, none for a call. */
const carriers = new WeakMap<TLSSocket, Socket>();

/** To be called before anything is read from it. */
export function rememberCarrier(socket: TLSSocket, carrier: Socket): void {
  carriers.set(socket, carrier);
}

/**
 * Watches how a connection ends. To be called while its bytes are read, in the same turn of the
 * event loop in which they came.
 *
 * Node shows a close_notify and a bare FIN as the same `end`. What tells them apart is when it
 * comes: the event loop reads encrypted bytes and an end of the connection below in turns of
 * their own, so an end in a turn in which encrypted bytes came is what those bytes said, and one
 * in a turn without any is the FIN. A reset is an error, also where it comes with the last bytes.
 */
export function watchStreamEnd(socket: TLSSocket): StreamEnd {
  return new WatchedEnd(socket, carriers.get(socket));
}

class WatchedEnd implements StreamEnd {
  readonly #poll: Timer;
  /** Encrypted bytes that had come when the turn began. None yet: in this one some have. */
  #before = -1;
  #isAnnounced = false;

  constructor(socket: TLSSocket, carrier: Socket | undefined) {
    this.#poll = afterEachPoll(() => {
      this.#before = carrier?.bytesRead ?? 0;
    });
    const push: typeof socket.push = socket.push.bind(socket);
    socket.push = (chunk: unknown, encoding) => {
      if (chunk === null && carrier !== undefined) {
        this.#isAnnounced = carrier.bytesRead > this.#before;
        this.close();
      }
      return push(chunk, encoding);
    };
  }

  isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  close(): void {
    this.#poll.cancel();
  }
}
