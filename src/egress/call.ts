import type { Interruptible } from "../lib/async.ts";
import type { Operation } from "../policy/operations.ts";

/**
 * One accepted call on its way to Presto: what is sent, how long it may take, and what
 * has happened to it so far. The inbound side makes it; each step on the way reads it.
 */
export interface Call extends Interruptible {
  readonly requestId: string;
  readonly operation: Operation;
  readonly method: string;
  /** Origin-form, as it was judged. */
  readonly target: string;
  /** Name, value, name, value…: what is forwarded, without the token. */
  readonly headers: readonly string[];
  body: Buffer | undefined;
  /**
   * Counts bytes of this call's body or answer as held in memory until the call ends.
   * Answers false, and counts nothing, where the bound for all calls together is reached.
   */
  hold(bytes: number): boolean;

  /** A byte of the present send may have reached Presto. */
  written: boolean;
  /** How many times a byte of it was written. */
  sends: number;
  /** Milliseconds spent in exchanges with Presto. */
  upstreamMs: number;
  /** Generation of the token last sent. */
  generation: number | undefined;
}

/** Nobody waits for the answer any more, and nothing needs to be finished. No reply is written. */
export class CallerGone extends Error {
  override readonly name = "CallerGone";
  constructor() {
    super("the caller closed its connection");
  }
}
