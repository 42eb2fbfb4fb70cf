import { parseDuration, RefusedValue } from "../config/parse.ts";
import { Failure } from "../errors.ts";
import type { Arguments, Io } from "./command.ts";

const unlessGiven = "60s";

/** How long a command may wait. */
export interface TimeLimit {
  /** As it was written: `60s`. */
  readonly text: string;
  /** Milliseconds that are left; 0 when it has run out. */
  left(): number;
}

/**
 * The limit of `--timeout`, or 60 s, counted from now.
 * @throws Failure `usage`
 */
export function startTimeLimit(args: Arguments, io: Io): TimeLimit {
  const { text, ms } = readDuration(args, "timeout", unlessGiven);
  const end = io.clock.monotonic() + ms;
  return { text, left: () => Math.max(0, end - io.clock.monotonic()) };
}

/** A duration as it was written, and in milliseconds. */
export interface WrittenDuration {
  readonly text: string;
  readonly ms: number;
}

/**
 * The value of an option that takes a duration.
 * @throws Failure `usage`
 */
export function readDuration(args: Arguments, option: string, unless: string): WrittenDuration {
  const text = args.text(option) ?? unless;
  try {
    return { text, ms: parseDuration(text) };
  } catch (error) {
    if (!(error instanceof RefusedValue)) throw error;
    throw new Failure("usage", `--${option}: ${error.message}. Write it like 30s.`, error);
  }
}
