import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { readRetryAfter } from "../lib/duration.ts";
import type { Emit } from "../lib/events.ts";
import { type Call, type CallEnd, fieldOf, type Perform, type Response } from "./call.ts";

/** No Retry-After is kept to for longer. */
const longestMs = 60_000;
/** Between two probes while the time that Presto has named lasts. */
const probeEveryMs = 5_000;

/**
 * Keeps calls that read or prepare from a Presto that has asked for a pause: after its 429 or 503
 * with a `Retry-After`, they are refused for that time, a minute at most. One at a time goes through
 * as a probe, and a good answer ends it. A call that moves money is never kept back: its caller
 * stands behind it, and what is sent later is sent without one.
 */
export interface Circuit {
  /** Brings a call that moves no money to its end. While all is well this costs one comparison. */
  readonly perform: Perform;
  /** Presto has answered a call. */
  heard(response: Response): void;
}

/** Presto has asked for a pause, and calls that move no money are kept from it; or that is over. */
export interface CircuitChanged {
  readonly type: "circuit-changed";
  readonly isOpen: boolean;
}

export interface CircuitDeps {
  readonly clock: Pick<Clock, "monotonic" | "now">;
  readonly emit: Emit<CircuitChanged>;
}

/** @param perform given once there is one: it tells this of each response */
export function createCircuit({ clock, emit }: CircuitDeps, perform: () => Perform): Circuit {
  let isOpen = false;
  /** Monotonic: until when Presto wants no calls, and until when the circuit is kept at most. */
  let until = 0;
  let endsAt = 0;
  let nextProbeAt = 0;
  let probe: Probe | undefined;

  function end(): void {
    isOpen = false;
    probe = undefined;
    emit({ type: "circuit-changed", isOpen: false });
  }

  function mayProbe(now: number): boolean {
    return probe === undefined && (now >= until || now >= nextProbeAt);
  }

  /** One call that goes through while the others wait. Whatever it ends with frees its place. */
  class Probe implements CallEnd {
    readonly #end: CallEnd;

    constructor(given: CallEnd) {
      this.#end = given;
    }

    answered(response: Response): void {
      const isCurrent = this.#leave();
      if (isCurrent && response.status < 500 && response.status !== 429) end();
      this.#end.answered(response);
    }

    failed(error: unknown): void {
      this.#leave();
      this.#end.failed(error);
    }

    #leave(): boolean {
      if (probe !== this) return false;
      probe = undefined;
      return true;
    }
  }

  function refuse(now: number): Problem {
    const seconds = Math.max(1, Math.ceil((until - now) / 1_000));
    return new Problem("overloaded", {
      detail: "Presto has asked for a pause (429 or 503 with Retry-After); nothing was sent",
      retryAfter: seconds,
    });
  }

  function performWhileOpen(call: Call, given: CallEnd): void {
    const now = clock.monotonic();
    if (now >= endsAt) {
      end();
      perform()(call, given);
    } else if (mayProbe(now)) {
      probe = new Probe(given);
      nextProbeAt = now + probeEveryMs;
      perform()(call, probe);
    } else given.failed(refuse(now));
  }

  return {
    perform(call, given) {
      if (isOpen) performWhileOpen(call, given);
      else perform()(call, given);
    },
    heard(response) {
      if (response.status !== 429 && response.status !== 503) return;
      const ms = askedPauseMs(response, clock.now());
      if (ms === 0) return;
      const now = clock.monotonic();
      until = Math.max(isOpen ? until : 0, now + ms);
      endsAt = now + longestMs;
      nextProbeAt = now + probeEveryMs;
      if (isOpen) return;
      isOpen = true;
      emit({ type: "circuit-changed", isOpen: true });
    },
  };
}

/** For how long a response asks that nothing be sent, milliseconds, a minute at most; 0 where it does not. @param now wall clock */
export function askedPauseMs(response: Pick<Response, "headers">, now: number): number {
  return readRetryAfter(fieldOf(response, "retry-after"), now, longestMs) ?? 0;
}
