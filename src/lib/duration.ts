/** Milliseconds of each unit that a duration may be written in, the shortest first. */
export const durationUnits: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Milliseconds of a day. */
export const dayMs = 24 * 60 * 60_000;

/** A whole number with its unit, as it was written. */
export interface Quantity {
  /** In the smallest unit; may be 0, or Infinity from some 300 digits, but never NaN. */
  readonly value: number;
  /** How many of the smallest unit one of the written one is. */
  readonly factor: number;
  readonly unit: string;
}

/** Digits, then one of the units, and nothing that `Number` would make of an empty text, of `1e3` or of `0x10`. */
export function readQuantity(text: string, units: ReadonlyMap<string, number>): Quantity | undefined {
  const [, digits, unit] = /^(\d+)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units.get(unit);
  if (digits === undefined || unit === undefined || factor === undefined) return undefined;
  return { value: Number(digits) * factor, factor, unit };
}

/**
 * A length of time as people write it here: `250ms`, `10s`, `5m`, `24h`.
 * @returns milliseconds, which may be 0 or Infinity; undefined if it is no duration
 */
export function readDuration(text: string): number | undefined {
  return readQuantity(text, durationUnits)?.value;
}

/** A date in HTTP's own form (RFC 9110 section 5.6.7): `Date.parse` reads nearly anything. */
const httpDate = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/**
 * What a Retry-After field comes to (RFC 9110 section 10.2.3): seconds, or a date.
 * @param now wall clock, milliseconds since 1970
 * @param mostMs no field is kept to for longer
 * @returns milliseconds from now, 0 for what is past; undefined where it names no time
 */
export function readRetryAfter(field: string | undefined, now: number, mostMs: number): number | undefined {
  const text = field?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : httpDate.test(text) ? Date.parse(text) - now : NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), mostMs);
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A span as people say it, rounded down: `61 days`, `5 hours`, `1 minute`. @param ms not negative */
export function durationText(ms: number): string {
  if (ms >= 2 * dayMs) return counted(ms / dayMs, "day");
  if (ms >= 2 * hourMs) return counted(ms / hourMs, "hour");
  return counted(ms / minuteMs, "minute");
}

function counted(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}

const spokenUnits = [
  ["days", dayMs],
  ["hours", hourMs],
  ["minutes", minuteMs],
  ["seconds", 1000],
] as const;

/** `90 days`, `2 hours`, `1 minute`: one unit, rounded down, and no smaller than the second one that fits. */
export function spanText(ms: number): string {
  const [unit, length] = spokenUnits.find(([, each]) => Math.abs(ms) >= 2 * each) ?? ["seconds", 1000];
  const count = Math.floor(Math.abs(ms) / length);
  if (count === 0) return "a moment";
  return new Intl.DurationFormat("en", { style: "long" }).format({ [unit]: count });
}

/** `in 90 days`, `3 hours ago`. Times are milliseconds since 1970. */
export function relativeText(at: number, now: number): string {
  return at > now ? `in ${spanText(at - now)}` : `${spanText(now - at)} ago`;
}

/** The day; within two days the time, too. */
export function dateText(at: number, now: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "a date that is none";
  const text = date.toISOString();
  return Math.abs(at - now) >= 2 * dayMs
    ? text.slice(0, "2027-02-28".length)
    : `${text.slice(0, "2027-02-28".length)} ${text.slice("2027-02-28T".length, "2027-02-28T04:20".length)} UTC`;
}
