import { durationUnits, readQuantity } from "../lib/duration.ts";
import { quote, RefusedValue } from "./refused-value.ts";

const bytes = new Map([
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
  if (read === undefined) {
    throw new RefusedValue(
      `${quote(text)} is not ${what} (a whole number and one of ${[...units.keys()].join(", ")})`,
    );
  }
  const { value, factor, unit } = read;
  if (value > most)
    throw new RefusedValue(`${quote(text)} is too much; the most is ${Math.floor(most / factor)}${unit}`);
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
  if (value === 0) throw new RefusedValue("must be more than nothing");
  return value;
}

/**
 * A number of bytes that is more than nothing: `64KiB`, `1MiB`.
 * @returns bytes
 */
export function parseSize(text: string): number {
  const value = measure(text, bytes, largestSize, "a size");
  if (value === 0) throw new RefusedValue("must be more than nothing");
  return value;
}

/** A whole number, 0 included. */
export function parseCountOrZero(text: string): number {
  if (!/^\d+$/.test(text)) throw new RefusedValue(`${quote(text)} is not a whole number`);
  const value = Number(text);
  if (value > largestCount) throw new RefusedValue(`${quote(text)} is too much; the most is ${largestCount}`);
  return value;
}

/** A whole number, 1 or more. */
export function parseCount(text: string): number {
  const value = parseCountOrZero(text);
  if (value === 0) throw new RefusedValue("must be at least 1");
  return value;
}

/** `yes` or `no`, and nothing else: a switch about safety must not be guessed at. */
export function parseYesNo(text: string): boolean {
  if (text === "yes") return true;
  if (text === "no") return false;
  throw new RefusedValue(`${quote(text)} is neither yes nor no`);
}

/** The shortest exact form of a duration: `5s`, `1500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const [unit, factor] of [...durationUnits].toReversed()) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}
