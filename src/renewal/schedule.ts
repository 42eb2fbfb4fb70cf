import { dayMs } from "../lib/duration.ts";
import type { TokenRecord } from "../store/contract.ts";

/** Hours of the day in which a renewal may begin, milliseconds since 00:00 UTC; `to` before `from` goes over midnight. */
export interface DayWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When tokens are renewed. */
export interface Schedule {
  /** Fraction of a token's life, above 0 and at most 1. */
  readonly renewAt: number;
  /** Undefined: at any time. */
  readonly window: DayWindow | undefined;
  /** From 0 to 1, drawn once a process: moves the time by up to 5 % of `renewAt` to either side, so that many do not come at once. */
  readonly jitter: number;
}

type Life = Pick<TokenRecord, "token" | "issuedAt" | "expiresAt">;

/** A window that opens less than this before the token ends is no help. */
const marginMs = 60 * 60 * 1000;

/**
 * When this token is to be renewed, wall clock: in the window where one is set, unless the token would die first. Null
 * where there is none (it is due now), or its end is not known (it never is).
 */
export function dueAt(record: Life | undefined, schedule: Schedule): Date | null {
  if (record === undefined || record.token === null || record.expiresAt === null) return null;
  const wanted = plainDueAt(record, record.expiresAt.getTime(), schedule);
  return new Date(inWindow(wanted, record.expiresAt.getTime(), schedule.window));
}

/** Is it due now? Looked at afresh each time: after a pause, or a failed try, the window may be over. */
export function isDueAt(now: number, record: Life | undefined, schedule: Schedule): boolean {
  if (record === undefined || record.token === null) return true;
  if (record.expiresAt === null) return false;
  const end = record.expiresAt.getTime();
  return now >= plainDueAt(record, end, schedule) && inWindow(now, end, schedule.window) <= now;
}

function plainDueAt({ issuedAt }: Life, end: number, { renewAt, jitter }: Schedule): number {
  // Nothing tells how long it was to live: a day before its end is in time.
  if (issuedAt === null) return end - dayMs;
  const life = Math.max(0, end - issuedAt.getTime());
  const fraction = Math.min(1, renewAt * (0.95 + jitter / 10));
  // Whole milliseconds, as a Date has them: what is told and what is compared must be one moment.
  return Math.ceil(issuedAt.getTime() + life * fraction);
}

/** The first moment from `at` on that lies in the window, or `at` itself where the token would not live to see it. */
function inWindow(at: number, end: number, window: DayWindow | undefined): number {
  if (window === undefined) return at;
  const ofDay = at - Math.floor(at / dayMs) * dayMs;
  const { fromMs, toMs } = window;
  const inside = fromMs < toMs ? ofDay >= fromMs && ofDay < toMs : ofDay >= fromMs || ofDay < toMs;
  if (inside) return at;
  const opens = at + ((fromMs - ofDay + dayMs) % dayMs);
  return opens < end - marginMs ? opens : at;
}
