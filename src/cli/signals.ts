import type { Clock } from "../clock.ts";

/** Why a command was asked to stop. */
export class StopSignal extends Error {
  override readonly name = "StopSignal";
  /** 130 or 143: 128 and the signal's number, as shells count. */
  readonly exitCode: number;

  constructor(signal: keyof typeof exitCodes) {
    super(`Stopped by ${signal}`);
    this.exitCode = exitCodes[signal];
  }
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** The part of `process` that signals need; a test has its own. */
export interface SignalledProcess {
  on(signal: string, run: () => void): unknown;
  exit(code: number): void;
}

/** What is still done when the process ends at once. @param why in a sentence */
export type LastWords = (why: string) => Promise<void>;

/** The process's signals, as commands see them. */
export interface ProcessSignals {
  /** Aborted by the first SIGINT or SIGTERM, with a `StopSignal` as its reason. */
  readonly signal: AbortSignal;
  /** Calls back at every SIGHUP; where nobody asked, SIGHUP ends the process as usual. */
  readonly onHangup: (run: () => void) => void;
  /** Has this done, for a moment, at every end that waits for nothing else: a second signal, a defect. */
  readonly beforeExit: (lastWords: LastWords) => void;
  /** Ends the process, after the last words. While they are spoken, a second call ends it at once. */
  readonly end: (exitCode: number, why: string) => void;
}

/** Milliseconds that last words may take. */
const lastWordsMs = 1_000;

/**
 * Listens for SIGINT and SIGTERM from now on. The first asks the command to stop; the
 * second ends the process at once, whatever is under way: but it is told what that was.
 */
export function watchSignals(process: SignalledProcess, clock: Pick<Clock, "sleep">): ProcessSignals {
  const stop = new AbortController();
  let lastWords: LastWords | undefined;
  let ending = false;

  function end(exitCode: number, why: string): void {
    const exit = (): void => process.exit(exitCode);
    if (lastWords === undefined || ending) {
      exit();
      return;
    }
    ending = true;
    void Promise.race([lastWords(why), clock.sleep(lastWordsMs)]).then(exit, exit);
  }

  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) end(exitCodes[name], `A second signal (${name}) ends the sidecar at once.`);
      else stop.abort(new StopSignal(name));
    });
  }
  return {
    signal: stop.signal,
    onHangup: (run) => process.on("SIGHUP", run),
    beforeExit(words) {
      lastWords = words;
    },
    end,
  };
}
