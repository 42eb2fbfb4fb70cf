import type { DayWindow } from "../renewal/schedule.ts";
import { quote, RefusedValue } from "./refused-value.ts";

/** @throws RefusedValue */
export function parseRole(text: string): "proxy" | "rotator" | "all" {
  if (text === "proxy" || text === "rotator" || text === "all") return text;
  throw new RefusedValue(`${quote(text)} is not a role (proxy, rotator, all)`);
}

/** @throws RefusedValue */
export function parseRenew(text: string): "auto" | "manual" {
  if (text === "auto" || text === "manual") return text;
  throw new RefusedValue(`${quote(text)} is neither auto nor manual`);
}

/**
 * The name that a token is asked for with.
 * @throws RefusedValue
 */
export function parseTokenName(text: string): string {
  if (!/^[\x20-\x7e]{1,255}$/.test(text)) {
    throw new RefusedValue("has more than 255 characters, or one that is not visible ASCII");
  }
  if (text.trim() !== text) throw new RefusedValue("has a space at one of its ends");
  return text;
}

/** Ten years: what is meant to live longer is meant never to be renewed. */
const mostDays = 3650;

/**
 * A number of days.
 * @throws RefusedValue
 */
export function parseDays(text: string): number {
  if (!/^\d+$/.test(text))
    throw new RefusedValue(`${quote(text)} is not a whole number of days, without a unit`);
  const days = Number(text);
  if (days < 1 || days > mostDays) throw new RefusedValue(`${quote(text)} is not from 1 to ${mostDays}`);
  return days;
}

/**
 * A part of a whole: above 0, and 1 at most.
 * @throws RefusedValue
 */
export function parseFraction(text: string): number {
  // Written out, as people write it: `Number` would take `1e-1`, `0x1` and an empty text as well.
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= 1) return value;
  throw new RefusedValue(`${quote(text)} is not a fraction above 0 and at most 1, such as 0.67`);
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * Hours of the day in UTC: `01:00-04:00`; `22:00-02:00` goes over midnight.
 * @throws RefusedValue
 */
export function parseDayWindow(text: string): DayWindow {
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) {
    throw new RefusedValue(`${quote(text)} is not two times of day in UTC with a dash between them`);
  }
  const fromMs = parseTimeOfDay(from);
  // The end of the day is the beginning of the next, which a window over midnight ends at.
  const toMs = to === "24:00" ? 0 : parseTimeOfDay(to);
  if (fromMs === toMs) {
    throw new RefusedValue(`${quote(text)} begins when it ends; leave it out if any time will do`);
  }
  return { fromMs, toMs };
}

function parseTimeOfDay(text: string): number {
  const [hours = 0, minutes = 0] = text.split(":").map(Number);
  if (hours > 23 || minutes > 59) throw new RefusedValue(`${quote(text)} is not a time of day`);
  return hours * hourMs + minutes * minuteMs;
}

/**
 * The made-up reference that probes ask for: it stands in a path as it is.
 * @throws RefusedValue
 */
export function parseReference(text: string): string {
  if (!/^[A-Za-z0-9._~-]{1,128}$/.test(text) || text === "." || text === "..") {
    throw new RefusedValue(`${quote(text)} is not 1 to 128 of A-Z a-z 0-9 - . _ ~ (and not . or .. alone)`);
  }
  return text;
}
