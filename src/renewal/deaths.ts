const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** So many deaths in a window are no accident any more (LIMIT in DEATH_WINDOW): two faults explain two, three can explain three. */
const limits = [
  { most: 4, withinMs: 10 * minuteMs },
  { most: 8, withinMs: dayMs },
] as const;

/** Those that still count: less than 24 h from now, by a clock that may have been set back since. */
export function recentDeaths(deaths: readonly Date[], now: number): readonly Date[] {
  return deaths.filter((at) => Math.abs(now - at.getTime()) < dayMs);
}

/** Do these deaths mean that somebody else issues tokens on this account? */
export function tooManyDeaths(deaths: readonly Date[], now: number): boolean {
  return limits.some(
    ({ most, withinMs }) => deaths.filter((at) => Math.abs(now - at.getTime()) < withinMs).length >= most,
  );
}
