import { CommandError } from "../errors.ts";
import { durationUnits, readQuantity } from "../lib/duration.ts";
import type { LogFormat } from "../observe/log-format.ts";
import type { LogLevel } from "../observe/log.ts";
import type { DayWindow } from "../renewal/schedule.ts";

/**
 * A value that the checks have made sure of.
 * @throws TypeError where it is missing all the same: a defect of theirs, not of the configuration
 */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("a variable that was checked has no value");
  return value;
}

/** A value that a variable can't have. The message goes on from the variable's name, and never holds a secret. */
export class InvalidValue extends Error {
  override readonly name = "InvalidValue";
}

const shortAndPrintable = /^[\x20-\x7e]{1,40}$/;

/**
 * A value as a message may show it. Long ones, and ones with odd characters, are not shown:
 * what was pasted into the wrong variable may be a token.
 */
export function quote(text: string): string {
  return shortAndPrintable.test(text) ? `"${text}"` : "the value";
}

/** One thing that is wrong with the configuration. Holds no secret. */
export interface ConfigProblem {
  /** Variable, or what else it is about (`node --inspect`). */
  readonly variable: string;
  /** Goes on from the name: `"10sec" is not a duration (…)`. */
  readonly wrong: string;
  /** What would be right. */
  readonly example: string;
}

/** All problems in one failure (exit 78), one a line. */
export function configError(problems: readonly ConfigProblem[]): CommandError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.map(
    ({ variable, wrong, example }) => `  ${variable}: ${wrong}. Example: ${example}`,
  );
  return new CommandError("configuration", [`The configuration has ${count}:`, ...lines].join("\n"));
}

/** ASCII white space alone: YAML's folded text puts it around entries; anything odder is a mistake to be told. */
const around = /^[ \t\r\n]+|[ \t\r\n]+$/g;

/**
 * Reads a comma list, each entry by `parse`.
 * @param keyOf tells entries apart; two that are the same are refused. Without it nothing is compared.
 * @throws InvalidValue that tells of every bad entry, by its place. A comma too many is one: it is mostly an entry that was lost
 */
export function parseList<T>(text: string, parse: (entry: string) => T, keyOf?: (value: T) => string): T[] {
  const entries = text.split(",").map((entry) => entry.replace(around, ""));
  const faults: string[] = [];
  const places = new Map<string, number>();
  const values = entries.flatMap((entry, index) => {
    const place = index + 1;
    try {
      if (entry === "") throw new InvalidValue("it is empty; remove the comma too many");
      const value = parse(entry);
      const key = keyOf?.(value);
      const same = key === undefined ? undefined : places.get(key);
      if (same !== undefined) throw new InvalidValue(`it is the same as entry ${same}; remove one`);
      if (key !== undefined) places.set(key, place);
      return [value];
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      faults.push(entries.length === 1 ? error.message : `entry ${place}: ${error.message}`);
      return [];
    }
  });
  if (faults.length > 0) throw new InvalidValue(faults.join("; "));
  return values;
}

/** Bytes of each unit that a size may be written in, the smallest first. */
export const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** setTimeout's largest delay: beyond it Node fires at once. About 24 days. */
const longestDuration = 2 ** 31 - 1;

/** No machine that a sidecar runs on has more memory to give away. */
const largestSize = 64 * 1024 ** 3;

/** More calls than this can't be told apart by their ports. */
const largestCount = 65_535;

function measure(text: string, units: ReadonlyMap<string, number>, most: number, what: string): number {
  const read = readQuantity(text, units);
  if (read === undefined && text.startsWith("-") && readQuantity(text.slice(1), units) !== undefined)
    throw new InvalidValue(`${quote(text)} is negative; ${what} here is not`);
  if (read === undefined) {
    throw new InvalidValue(
      `${quote(text)} is not ${what} (a whole number and one of ${[...units.keys()].join(", ")})`,
    );
  }
  const { value, factor, unit } = read;
  if (value > most)
    throw new InvalidValue(`${quote(text)} is too much; the most is ${Math.floor(most / factor)}${unit}`);
  return value;
}

/**
 * A length of time, `0s` included: `250ms`, `10s`, `5m`, `24h`.
 * @returns milliseconds
 */
export function parseDurationOrZero(text: string): number {
  return measure(text, durationUnits, longestDuration, "a duration");
}

/**
 * A length of time that is more than nothing.
 * @returns milliseconds
 */
export function parseDuration(text: string): number {
  const value = parseDurationOrZero(text);
  if (value === 0) throw new InvalidValue("must be more than nothing");
  return value;
}

/**
 * A number of bytes that is more than nothing: `64KiB`, `1MiB`.
 * @returns bytes
 */
export function parseSize(text: string): number {
  const value = measure(text, sizeUnits, largestSize, "a size");
  if (value === 0) throw new InvalidValue("must be more than nothing");
  return value;
}

/** A whole number, 0 included. */
export function parseCountOrZero(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidValue(`${quote(text)} is not a whole number`);
  const value = Number(text);
  if (value > largestCount) throw new InvalidValue(`${quote(text)} is too much; the most is ${largestCount}`);
  return value;
}

/** A whole number, 1 or more. */
export function parseCount(text: string): number {
  const value = parseCountOrZero(text);
  if (value === 0) throw new InvalidValue("must be at least 1");
  return value;
}

/** `yes` or `no`, and nothing else: a switch about safety must not be guessed at. */
export function parseYesNo(text: string): boolean {
  if (text === "yes") return true;
  if (text === "no") return false;
  throw new InvalidValue(`${quote(text)} is neither yes nor no`);
}

/** What a mode is of, for messages. */
interface ModeOf {
  /** Stands before each message, with a space behind it, where the address may be shown. */
  readonly subject?: string;
  readonly what: "socket" | "record";
  /** Of what would do. */
  readonly example: string;
}

/**
 * The permissions behind the question mark of an address, as `mode=0660`: those of its owner at least, and none for
 * others.
 */
export function parseMode(query: string, { subject = "", what, example }: ModeOf): number {
  const [, octal] = /^mode=0?([0-7]{3})$/.exec(query) ?? [];
  if (octal === undefined)
    throw new InvalidValue(
      `${subject}has something other than a mode behind the question mark; write ?mode=${example}`,
    );
  const mode = Number.parseInt(octal, 8);
  if ((mode & 0o007) !== 0)
    throw new InvalidValue(
      `${subject}opens the ${what} to every user of the machine; the last digit of the mode must be 0`,
    );
  if ((mode & 0o600) !== 0o600)
    throw new InvalidValue(`${subject}has a mode that locks out its owner; 0600 is the least`);
  return mode;
}

/** The shortest exact form of a duration: `5s`, `1500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const [unit, factor] of [...durationUnits].toReversed()) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

/** @throws InvalidValue */
export function parseRole(text: string): "proxy" | "rotator" | "all" {
  if (text === "proxy" || text === "rotator" || text === "all") return text;
  throw new InvalidValue(`${quote(text)} is not a role (proxy, rotator, all)`);
}

/** @throws InvalidValue */
export function parseRenew(text: string): "auto" | "manual" {
  if (text === "auto" || text === "manual") return text;
  throw new InvalidValue(`${quote(text)} is neither auto nor manual`);
}

/**
 * The name that a token is asked for with.
 * @throws InvalidValue
 */
export function parseTokenName(text: string): string {
  if (!/^[\x20-\x7e]{1,255}$/.test(text)) {
    throw new InvalidValue("has more than 255 characters, or one that is not visible ASCII");
  }
  if (text.trim() !== text) throw new InvalidValue("has a space at one of its ends");
  return text;
}

/** Ten years: what is meant to live longer is meant never to be renewed. */
const mostDays = 3650;

/**
 * A number of days.
 * @throws InvalidValue
 */
export function parseDays(text: string): number {
  if (!/^\d+$/.test(text))
    throw new InvalidValue(`${quote(text)} is not a whole number of days, without a unit`);
  const days = Number(text);
  if (days < 1 || days > mostDays) throw new InvalidValue(`${quote(text)} is not from 1 to ${mostDays}`);
  return days;
}

/**
 * A part of a whole: above 0, and 1 at most.
 * @throws InvalidValue
 */
export function parseFraction(text: string): number {
  // Written out, as people write it: `Number` would take `1e-1`, `0x1` and an empty text as well.
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= 1) return value;
  throw new InvalidValue(`${quote(text)} is not a fraction above 0 and at most 1, such as 0.67`);
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * Hours of the day in UTC: `01:00-04:00`; `22:00-02:00` goes over midnight.
 * @throws InvalidValue
 */
export function parseDayWindow(text: string): DayWindow {
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) {
    throw new InvalidValue(`${quote(text)} is not two times of day in UTC with a dash between them`);
  }
  const fromMs = parseTimeOfDay(from);
  // The end of the day is the beginning of the next, which a window over midnight ends at.
  const toMs = to === "24:00" ? 0 : parseTimeOfDay(to);
  if (fromMs === toMs) {
    throw new InvalidValue(`${quote(text)} begins when it ends; leave it out if any time will do`);
  }
  return { fromMs, toMs };
}

function parseTimeOfDay(text: string): number {
  const [hours = 0, minutes = 0] = text.split(":").map(Number);
  if (hours > 23 || minutes > 59) throw new InvalidValue(`${quote(text)} is not a time of day`);
  return hours * hourMs + minutes * minuteMs;
}

/**
 * The made-up reference that probes ask for: it stands in a path as it is.
 * @throws InvalidValue
 */
export function parseReference(text: string): string {
  if (!/^[A-Za-z0-9._~-]{1,128}$/.test(text) || text === "." || text === "..") {
    throw new InvalidValue(`${quote(text)} is not 1 to 128 of A-Z a-z 0-9 - . _ ~ (and not . or .. alone)`);
  }
  return text;
}

/** pino's, the lowest first. */
export const logLevels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** @throws InvalidValue */
export function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level === undefined)
    throw new InvalidValue(`${quote(text)} is not a log level (${logLevels.join(", ")})`);
  return level;
}

export const logFormats: readonly LogFormat[] = ["json", "ecs", "text"];

/** @throws InvalidValue */
export function parseLogFormat(text: string): LogFormat {
  const format = logFormats.find((known) => known === text);
  if (format === undefined)
    throw new InvalidValue(`${quote(text)} is not a format of the log (${logFormats.join(", ")})`);
  return format;
}

/** @throws InvalidValue */
export function parseCollector(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new InvalidValue("is not an http or https URL without user and password");
  return url.href;
}

/** The one encoding of OTLP that is spoken here. */
export const otlpProtocol = "http/protobuf";

/** @throws InvalidValue */
export function parseOtlpProtocol(text: string): typeof otlpProtocol {
  if (text !== otlpProtocol)
    throw new InvalidValue(
      `${quote(text)} is not spoken here: spans are sent as ${otlpProtocol}, which a collector takes on port 4318 as a rule`,
    );
  return text;
}

/** @throws InvalidValue */
export function parseServiceName(text: string): string {
  if (!/^[\x20-\x7e]{1,100}$/.test(text))
    throw new InvalidValue(`${quote(text)} is not 1 to 100 printable ASCII characters`);
  return text;
}
