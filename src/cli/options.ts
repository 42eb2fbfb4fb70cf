import { parseDuration, InvalidValue } from "../config/parse.ts";
import { CommandError } from "../errors.ts";
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
 * @throws CommandError `usage`
 */
export function startTimeLimit(args: Arguments, io: Io): TimeLimit {
  const { text, ms } = readDuration(args, "timeout", unlessGiven);
  const end = io.clock.monotonic() + ms;
  return { text, left: () => Math.max(0, end - io.clock.monotonic()) };
}

/** How often a command that waits asks again. */
const askEveryMs = 200;

/**
 * Asks until it is so.
 * @param late what is told when the time is over
 * @throws CommandError `try-again`
 */
export async function waitUntil(
  io: Io,
  limit: TimeLimit,
  isSo: () => Promise<boolean>,
  late: () => string,
): Promise<void> {
  while (!(await isSo())) {
    const left = limit.left();
    if (left === 0) throw new CommandError("try-again", late());
    await io.clock.sleep(Math.min(askEveryMs, left), io.signal);
  }
}

/** A duration as it was written, and in milliseconds. */
export interface WrittenDuration {
  readonly text: string;
  readonly ms: number;
}

/**
 * The value of an option that takes a duration.
 * @throws CommandError `usage`
 */
export function readDuration(args: Arguments, option: string, unless: string): WrittenDuration {
  const text = args.text(option) ?? unless;
  try {
    return { text, ms: parseDuration(text) };
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new CommandError("usage", `--${option}: ${error.message}. Write it like 30s.`, error);
  }
}

/**
 * The moment at which a token dies that Presto was asked for with this date: 00:00 UTC of
 * the day, not its end.
 * @param now milliseconds since 1970
 * @throws CommandError `usage` if it is no date, or is past
 */
export function parseExpiryDate(text: string, now: number): Date {
  const date = new Date(`${text}T00:00:00.000Z`);
  // A date that does not exist (31 June) becomes another one, or none.
  const exists =
    /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
  if (!exists)
    throw new CommandError("usage", "--expires is not a date that exists. Write it like 2027-02-22.");
  if (date.getTime() <= now) {
    throw new CommandError(
      "usage",
      `--expires ${text} is past: a token stops working at 00:00 UTC of its day. Give the date that Presto named.`,
    );
  }
  return date;
}
