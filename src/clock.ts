import { uptime } from "node:os";

/** A timer that was set and can be called off; calling it off twice does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, as everything that waits sees it. Passed in, so that a test or a simulation
 * can move it by hand. All durations are milliseconds.
 */
export interface Clock {
  /** Wall clock: milliseconds since 1970. For dates that people and Presto know, never for durations. */
  now(): number;
  /** Milliseconds since some moment of this process; never jumps, and is compared with nothing from outside. */
  monotonic(): number;
  /**
   * Milliseconds since this machine was started, those that it slept included, which `monotonic` does not
   * count on Linux. Coarse: only for seeing that it slept.
   */
  sinceBoot(): number;
  /** Calls `run` once, no earlier than `ms` from now. A pending timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
  /**
   * Resolves after `ms`; rejects with the signal's reason when it is aborted first. Somebody
   * awaits it, so it does keep the process alive: a command that waits for a lock would
   * otherwise end in the middle of its work.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout's largest delay; beyond it Node fires at once. */
const longestDelay = 2 ** 31 - 1;

function bounded(ms: number): number {
  return Math.min(Math.max(ms, 0), longestDelay);
}

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(ms: number, run: () => void) {
    this.#handle = setTimeout(run, bounded(ms));
    this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The system's clock: the only place in the program that asks the system for the time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot: () => uptime() * 1000,
  after: (ms, run) => new SystemTimer(ms, run),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(handle);
        reject(signal?.reason);
      };
      const handle = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, bounded(ms));
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** Runs it at the end of this turn of the event loop, when all that has come was read. No time passes for it, so no clock has to. */
export function atEndOfTurn(run: () => void): void {
  setImmediate(run);
}

/** Runs it in each turn of the event loop when all that has come was read, until it is called off. Makes no turn by itself. */
export function afterEachPoll(run: () => void): Timer {
  let handle = setImmediate(again).unref();
  function again(): void {
    handle = setImmediate(again).unref();
    run();
  }
  return { cancel: () => clearImmediate(handle) };
}
