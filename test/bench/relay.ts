import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A way to 127.0.0.1:PORT on which an answer takes `roundTripMs`. */
export interface Relay {
  readonly port: number;
  close(): void;
}

/** Pieces that may wait: a call is a handful, and a connection with more is broken off. */
const longestQueue = 10_000;

/**
 * Hands bytes on half a round trip later. Loopback's own handshake of TCP takes no time: for it, what a caller
 * says first is kept back by a whole round trip more.
 */
export async function openRelay(targetPort: number, roundTripMs: number): Promise<Relay> {
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.setNoDelay(true).on("error", () => socket.destroy());
    socket.once("close", () => open.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    keep(near);
    keep(far);
    handOn(near, far, roundTripMs / 2, roundTripMs);
    handOn(far, near, roundTripMs / 2, 0);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The relay has no port.");
  return {
    port: address.port,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** @param handshakeMs by how much later the first bytes go, and none before them */
function handOn(from: Socket, to: Socket, delayMs: number, handshakeMs: number): void {
  const connectedAt = performance.now() + handshakeMs;
  const queue: { readonly at: number; readonly act: () => void }[] = [];
  const pump = (): void => {
    for (;;) {
      const [next] = queue;
      if (next === undefined) return;
      const left = next.at - performance.now();
      // Node's timers may fire a part of a millisecond early.
      if (left > 0.2) {
        setTimeout(pump, left);
        return;
      }
      queue.shift();
      next.act();
    }
  };
  const later = (act: () => void): void => {
    if (queue.length >= longestQueue) {
      from.destroy();
      to.destroy();
      return;
    }
    queue.push({ at: Math.max(performance.now(), connectedAt) + delayMs, act });
    if (queue.length === 1) pump();
  };
  from.on("data", (bytes: Buffer) => later(() => to.write(bytes)));
  from.once("end", () => later(() => to.end()));
  from.once("close", () => later(() => to.destroy()));
}
