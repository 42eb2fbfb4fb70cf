import { type Clock, systemClock } from "../../../src/clock.ts";
import type { Subscriber } from "../../../src/observe/events.ts";
import { logEvents } from "../../../src/observe/log-events.ts";
import type { Log } from "../../../src/observe/log.ts";

export interface LoggedLine {
  readonly level: string;
  /** None of a call. */
  readonly message?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: unknown;
}

/** What a log is given for the events that `run` emits. `lowest`: what it writes of calls. */
export function logged(
  run: (emit: Subscriber) => void,
  lowest: "info" | "warn" = "info",
  clock: Pick<Clock, "monotonic"> = systemClock,
): readonly LoggedLine[] {
  const lines: LoggedLine[] = [];
  const log: Log = {
    enabled: (level) => lowest === "info" || level !== "info",
    write: (level, message, fields, error) => lines.push({ level, message, fields: fields ?? {}, error }),
    call: (level, fields, error) => lines.push({ level, fields, error }),
    lost: () => 0,
    flush: () => Promise.resolve(),
  };
  run(logEvents(log, clock));
  return lines;
}
