import type { Socket } from "node:net";

import { onAbort } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import { ConnectError, toConnectError } from "./connect-error.ts";

/** Reads an answer out of all bytes that came so far: undefined while it is not whole. Throws a `ConnectError` for one that it does not accept. */
export type ReadAnswer<T> = (bytes: Buffer) => T | undefined;

/**
 * Says something on a connection and waits for what is said back. The connection goes on to
 * be whoever opened it's to close.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export function ask<T>(
  socket: Socket,
  say: string | Buffer,
  read: ReadAnswer<T>,
  { signal }: Attempt,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let heard: Buffer = Buffer.alloc(0);
    let stopListening = (): void => {};
    socket.on("data", onData);
    socket.once("error", onError);
    socket.once("end", onEnd);
    socket.once("close", onEnd);
    stopListening = onAbort(signal, fail);
    // A listener alone does not undo the pause after an answer before.
    socket.resume();
    socket.write(say);

    function end(): void {
      stopListening();
      socket.pause();
      socket.off("data", onData);
      socket.off("error", onError);
      socket.off("end", onEnd);
      socket.off("close", onEnd);
    }
    function fail(reason: unknown): void {
      end();
      socket.on("error", () => {});
      reject(reason);
    }
    function onData(chunk: Buffer): void {
      heard = Buffer.concat([heard, chunk]);
      try {
        const answer = read(heard);
        if (answer === undefined) return;
        end();
        resolve(answer);
      } catch (error) {
        fail(error);
      }
    }
    function onError(error: Error): void {
      const failure = toConnectError(error);
      fail(failure.proxyStatus === "connection_terminated" ? closedWithoutAnswer(error) : failure);
    }
    function onEnd(): void {
      fail(closedWithoutAnswer(undefined));
    }
  });
}

function closedWithoutAnswer(cause: unknown): ConnectError {
  return new ConnectError(
    "unreachable",
    "the egress proxy closed the connection before it had answered",
    "connection_terminated",
    cause,
    "egress-proxy",
  );
}
