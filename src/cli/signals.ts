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

/** The process's signals, as commands see them. */
export interface ProcessSignals {
  /** Aborted by the first SIGINT or SIGTERM, with a `StopSignal` as its reason. */
  readonly signal: AbortSignal;
  /** Calls back at every SIGHUP. */
  readonly onHangup: (run: () => void) => void;
}

/**
 * Listens for SIGINT and SIGTERM from now on. The first asks the command to stop; the
 * second ends the process at once, whatever is under way.
 */
export function watchSignals(process: SignalledProcess): ProcessSignals {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(exitCodes[name]);
      else stop.abort(new StopSignal(name));
    });
  }
  return {
    signal: stop.signal,
    onHangup: (run) => process.on("SIGHUP", run),
  };
}
