import { Writable } from "node:stream";

import type { Clock } from "../clock.ts";
import { ConnectError } from "./connect-error.ts";
import type { ConnectErrorPlace } from "./connect-error.ts";

/** What an attempt waits for, as the end of the sentence of whoever runs out of patience. */
export interface Stage {
  readonly waitsFor: string;
  readonly place: ConnectErrorPlace;
  /** RFC 9209 section 2.3, for the case that it is waited for in vain. */
  readonly proxyStatus: string;
}

/** One attempt to get a connection. Each step of it tells what it waits for, and stops when the signal is aborted. */
export interface Attempt {
  /** Aborted with a `ConnectError` when time is over, or with whatever the attempt was given up for. */
  readonly signal: AbortSignal;
  stage: Stage;
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
export function startAttempt(timeoutMs: number, clock: Clock): RunningAttempt {
  const stop = new AbortController();
  const attempt: Attempt = { signal: stop.signal, stage: beginning };
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

/** Calls `run` with the reason when the signal is aborted, at once if it was before. @returns what ends the listening */
export function onAbort(signal: AbortSignal, run: (reason: Error) => void): () => void {
  const tell = (): void => run(signal.reason instanceof Error ? signal.reason : new Error("given up"));
  if (signal.aborted) {
    tell();
    return () => {};
  }
  signal.addEventListener("abort", tell, { once: true });
  return () => signal.removeEventListener("abort", tell);
}
