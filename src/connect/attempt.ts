import type { Socket } from "node:net";
import { Writable } from "node:stream";

import type { Clock } from "../clock.ts";
import { onAbort } from "../lib/async.ts";
import { ConnectError, type ConnectErrorPlace, toConnectError } from "./errors.ts";
import type { Resolver } from "./resolver.ts";

/** What an attempt waits for, as the end of the sentence of whoever runs out of patience. */
export interface Stage {
  readonly waitsFor: string;
  readonly place: ConnectErrorPlace;
  /** RFC 9209 section 2.3, for the case that it is waited for in vain. */
  readonly proxyStatus: string;
}

/** A step that was done on the way to a connection, in this order; those that the way does not have are left out. */
export type ConnectStep =
  /** A name was looked up: the target's, or the egress proxy's. */
  | { readonly step: "resolved"; readonly host: string; readonly addresses: readonly string[] }
  /** TCP is up, to the target or to the egress proxy. Undefined where the system does not say. */
  | { readonly step: "connected"; readonly localAddress: string | undefined }
  /** The egress proxy has opened a tunnel to the target. */
  | { readonly step: "tunnelled" }
  /** The target has shown a certificate whose chain holds. Name and pins are compared next. */
  | { readonly step: "certified"; readonly protocol: string; readonly certificate: SeenCertificate }
  /** The target asks for a client certificate, and has been told that there is none. */
  | { readonly step: "client-certificate-asked" };

/** What was presented by a server whose chain held. */
export interface SeenCertificate {
  /** May be no date at all, if it could not be read. */
  readonly validTo: Date;
  /** Base64 SHA-256 of its SubjectPublicKeyInfo. */
  readonly pin: string;
}

/** One attempt to get a connection. Each step of it tells what it waits for, and stops when the signal is aborted. */
export interface Attempt {
  /** Aborted with a `ConnectError` when time is over, or with whatever the attempt was given up for. */
  readonly signal: AbortSignal;
  stage: Stage;
  /** The address that TCP is up to: the target's, or the egress proxy's. */
  connectedTo: string | undefined;
  /** Tells of a step that was done. */
  readonly report: (step: ConnectStep) => void;
}

export interface RunningAttempt {
  readonly attempt: Attempt;
  /** What undici gives an attempt up by: it asks for a stream, and destroys it when no request waits for it any more. */
  readonly handle: Writable;
  /** Nobody waits for it any more, and it tells nothing of Presto. */
  isGivenUp(): boolean;
  /** It has come to its end: no more time is measured. */
  end(): void;
}

const beginning: Stage = {
  waitsFor: "nothing was begun",
  place: "here",
  proxyStatus: "connection_timeout",
};

/** Begins an attempt for which there are `timeoutMs` in all. */
export function startAttempt(
  timeoutMs: number,
  clock: Clock,
  report: Attempt["report"] = () => {},
): RunningAttempt {
  const stop = new AbortController();
  const attempt: Attempt = { signal: stop.signal, stage: beginning, connectedTo: undefined, report };
  let givenUp = false;
  let ended = false;
  const timer = clock.after(timeoutMs, () => {
    const { waitsFor, place, proxyStatus } = attempt.stage;
    stop.abort(
      new ConnectError(
        "timeout",
        `not connected within ${timeoutMs} ms: ${waitsFor}`,
        proxyStatus,
        undefined,
        place,
      ),
    );
  });
  const handle = new Writable({
    destroy(error, done) {
      if (!ended) {
        givenUp = true;
        timer.cancel();
        stop.abort(error);
      }
      done(null);
    },
  });
  return {
    attempt,
    handle,
    isGivenUp: () => givenUp,
    end() {
      ended = true;
      timer.cancel();
    },
  };
}

export interface AttemptOptions {
  /** Everything until the connection is up, milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Told of an address that TCP was up to and that was of no use. */
  readonly resolver: Pick<Resolver, "note">;
}

/**
 * Runs an attempt to its end.
 * @param done called once, and not at all for an attempt that was given up
 * @returns a stream that stands for the attempt, which is given up by destroying it while it is not done
 */
export function runAttempt<S extends Socket>(
  { timeoutMs, clock, resolver }: AttemptOptions,
  open: (attempt: Attempt) => Promise<S>,
  done: (error: ConnectError | null, socket: S | null) => void,
  report?: Attempt["report"],
): Writable {
  const { attempt, handle, isGivenUp, end } = startAttempt(timeoutMs, clock, report);
  void open(attempt).then(
    (socket) => {
      if (isGivenUp()) {
        socket.destroy();
        return;
      }
      end();
      done(null, socket);
    },
    (reason: unknown) => {
      if (isGivenUp()) return;
      end();
      if (attempt.connectedTo !== undefined) resolver.note(attempt.connectedTo, "failed");
      done(toConnectError(reason), null);
    },
  );
  return handle;
}

/** Reads an answer out of all bytes that came so far: undefined while it is not whole. Throws a `ConnectError` for one that it does not accept. */
export type ReadReply<T> = (bytes: Buffer) => T | undefined;

/**
 * Says something on a connection and waits for what is said back. The connection goes on to
 * be whoever opened it's to close.
 * @returns a rejection with a `ConnectError`, or with what the attempt was aborted for
 */
export function request<T>(
  socket: Socket,
  say: string | Buffer,
  read: ReadReply<T>,
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
