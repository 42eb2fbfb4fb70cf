import { createRenewal } from "./machine.ts";
import { type RenewalParts, storedId } from "./run.ts";
import type { RenewalEnd } from "./types.ts";

export interface OnceOptions {
  /** Clears the alarm first. */
  readonly force: boolean;
  /** Milliseconds to wait for the lock. */
  readonly lockWaitMs: number;
  /** Begins nothing new; what was sent is seen to its end, or left where the next process takes it up. */
  readonly signal: AbortSignal;
}

/** How long what was begun may take after the signal, milliseconds. */
const finishMs = 25_000;

/**
 * One renewal for a person at a command line: takes the lock, runs the protocol once, gives it back.
 * @throws Failure of the lock: `try-again` names its holder; StoreError where the record can't be read
 */
export async function renewOnce(parts: RenewalParts, options: OnceOptions): Promise<RenewalEnd> {
  const { force, lockWaitMs, signal } = options;
  const closing = new AbortController();
  // Whatever still waits then (a late answer, a store that is away) is waited for a while, and no longer.
  signal.addEventListener("abort", () => parts.clock.after(finishMs, () => closing.abort()), { once: true });
  const beyond = storedId(await parts.store.read());
  return createRenewal(parts).run({
    occasion: { wish: { beyond, force }, rejected: new Set() },
    lockWaitMs,
    draining: signal,
    closing: closing.signal,
  });
}
